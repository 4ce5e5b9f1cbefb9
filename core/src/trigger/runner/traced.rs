//! Tries to process messages, as spans.

use std::{
    sync::Arc,
    time::{Instant, SystemTime},
};

use super::{Message, Outcome, Runner, Try};
use crate::{
    observe::{Processed, TraceSink, Traced},
    request_id::RequestId,
};

/// A try that is recorded.
pub(super) struct TracedTry<'a> {
    span: Arc<Traced>,
    runner: &'a Runner,
    message: &'a Message,
    request_id: RequestId,
    received: SystemTime,
    began: Instant,
}

impl Runner {
    /// Has the tries of its messages told to this sink.
    pub(crate) fn traces_to(&self, sink: &Arc<dyn TraceSink>) {
        self.traces.get_or_init(|| Arc::clone(sink));
    }

    /// A try begins: part of the message's trace, if it names one that is recorded.
    pub(super) fn traced<'a>(&'a self, attempt: &mut Try<'a>) -> Option<TracedTry<'a>> {
        let span = Traced::begin(self.traces.get()?, &attempt.message.headers)?;
        attempt.span = Some(Arc::clone(&span));
        let (message, request_id, received) = (attempt.message, attempt.id, attempt.origin.received);
        Some(TracedTry { span, runner: self, message, request_id, received, began: Instant::now() })
    }
}

impl TracedTry<'_> {
    pub(super) fn end(self, outcome: &Outcome) {
        let Self { span, runner, message, request_id, received, began } = self;
        span.processed(&Processed {
            trigger: &runner.name,
            source: runner.kind,
            subject: &message.subject,
            message: message.id.as_deref(),
            attempt: message.attempt,
            request_id,
            began: received,
            took: began.elapsed(),
            error: outcome.code(),
        });
    }
}
