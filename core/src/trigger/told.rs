//! The log of messages that fail: each failure once, with its cause.

use std::time::Duration;

use tracing::{error, warn};

use super::{Message, outcome::Failed};
use crate::request_id::RequestId;

/// A failed try, to be told.
pub(super) struct Told<'a> {
    pub(super) trigger: &'a str,
    pub(super) message: &'a Message,
    pub(super) failed: &'a Failed,
    pub(super) id: RequestId,
}

macro_rules! tell {
    ($level:ident, $told:expr, $sentence:literal $(, $field:ident = $value:expr)*) => {{
        let Told { trigger, message, failed, id } = $told;
        let (attempt, subject) = (message.attempt, &*message.subject);
        let (code, error) = (failed.code.as_str(), &*failed.error);
        $level!(trigger, subject, request_id = %id, attempt, code, error $(, $field = $value)*, $sentence);
    }};
}

impl Told<'_> {
    pub(super) fn tried_again(&self, pause: Duration) {
        tell!(warn, self, "A message could not be processed; it is tried again.", pause = format!("{pause:?}"));
    }

    pub(super) fn dead_lettered(&self) {
        tell!(warn, self, "A message could not be processed; the dead letter has it.");
    }

    pub(super) fn refused(&self, refused: &Failed, pause: Duration) {
        tell!(
            error,
            self,
            "The dead letter did not take a message; both are tried again.",
            refused = &*refused.error,
            pause = format!("{pause:?}")
        );
    }

    /// At the end of the gateway.
    pub(super) fn lost(&self, refused: Option<&Failed>) {
        tell!(
            error,
            self,
            "A message is lost as the gateway ends: its source keeps nothing, and no dead letter has taken it.",
            refused = refused.map(|refused| &*refused.error)
        );
    }

    pub(super) fn dropped(&self) {
        tell!(
            error,
            self,
            "A message could not be processed and is dropped: there is no dead letter, and its source keeps nothing."
        );
    }
}
