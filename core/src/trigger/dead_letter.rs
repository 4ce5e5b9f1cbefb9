//! Where messages go that can't be processed.

use http::{HeaderMap, HeaderName, Method, Uri};

use super::{
    Message,
    call::{Try, set},
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
        let attempt = Try { id, carries_all_headers: true, ..Try::new(&message) };
        let mut head = attempt.head(Method::POST, Uri::from_static("/"), trigger);
        explain(&mut head.headers, &message, failed);
        let body = attempt.body();
        match attempt.send(&self.0, head, body, Captures::default()).await {
            Outcome::Done(_) => Ok(()),
            Outcome::Failed(failed) => Err(failed),
        }
    }
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
