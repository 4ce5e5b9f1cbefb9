//! Where messages go that can't be processed.

use http::{HeaderMap, HeaderName, Method, Uri};

use super::{
    Message,
    call::{TRIGGER, Try, set},
    outcome::{Failed, Outcome},
};
use crate::{gateway::Route, request_id::RequestId, routing::Captures};

const ERROR: HeaderName = HeaderName::from_static("callgate-error");
const DETAIL: HeaderName = HeaderName::from_static("callgate-detail");
const STATUS: HeaderName = HeaderName::from_static("callgate-status");
const ATTEMPTS: HeaderName = HeaderName::from_static("callgate-attempts");

/// A function that takes what could not be processed.
pub(crate) struct DeadLetter(pub(crate) Route);

impl DeadLetter {
    /// Hands a message over, with the reason. `Err` says why it was not taken.
    pub(super) async fn take(
        &self,
        message: &Message,
        failed: &Failed,
        id: RequestId,
        trigger: &str,
    ) -> Result<(), Box<Failed>> {
        // Its answer is for nobody.
        let message = Message { wants_reply: false, ..message.clone() };
        // Often it is here because it is too large.
        let attempt = Try { id, carries_all_headers: true, any_size: true, ..Try::new(&message) };
        let mut head = attempt.head(Method::POST, Uri::from_static("/"), trigger);
        explain(&mut head.headers, &message, failed);
        let body = attempt.body();
        match attempt.send(&self.0, head, body, Captures::default()).await {
            Outcome::Done(_) => Ok(()),
            Outcome::Failed(failed) => Err(failed),
        }
    }
}

/// Whether a message is one that this trigger gave away before.
pub(super) fn came_back(message: &Message, trigger: &str) -> bool {
    message.headers.contains_key(ERROR) && message.headers.get(TRIGGER).is_some_and(|name| name == trigger)
}

/// Says why the message is here.
fn explain(headers: &mut HeaderMap, message: &Message, failed: &Failed) {
    set(headers, ERROR, failed.code.as_str());
    set(headers, DETAIL, &failed.detail);
    headers.remove(STATUS);
    if let Some(status) = failed.status {
        headers.insert(STATUS, status.as_u16().into());
    }
    headers.insert(ATTEMPTS, message.attempt.into());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_that_went_round_is_known_by_its_trigger() {
        let mut message = Message::new("s", "m");
        assert!(!came_back(&message, "work"));
        let attempt = Try::new(&message);
        let mut head = attempt.head(Method::POST, Uri::from_static("/"), "work");
        explain(&mut head.headers, &message, &Failed::ended(attempt.id));
        message.headers = head.headers;
        assert!(came_back(&message, "work") && !came_back(&message, "other"));
        message.headers.remove(ERROR);
        assert!(!came_back(&message, "work"), "it came from a function that passes its headers on");
    }
}
