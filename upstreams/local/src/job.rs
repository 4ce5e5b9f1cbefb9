//! An invocation on its way to a process, and what comes back.

use bytes::Bytes;
use callgate_aws_event::Head;
use callgate_core::{Body, RequestId, UpstreamError};
use http::HeaderValue;
use tokio::{sync::oneshot, time::Instant};

/// One invocation.
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) event: Bytes,
    pub(crate) id: RequestId,
    /// The trace that the request belongs to, in the form of X-Ray.
    pub(crate) trace: Option<HeaderValue>,
    /// When the exchange is over for the client.
    pub(crate) deadline: Option<Instant>,
    /// When a streamed reply has to be over, if at all.
    pub(crate) stream_deadline: Option<Instant>,
    /// The bytes of a reply that may be collected.
    pub(crate) max_body: u64,
    pub(crate) answer: oneshot::Sender<Result<Outcome, UpstreamError>>,
}

/// What a function answered.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// A whole reply, to be read by its shape.
    Reply(Bytes),
    /// A reply whose head is known and whose body may still come.
    Streamed(Head, Body),
}

impl Job {
    /// Nobody waits for it any more.
    pub(crate) fn is_abandoned(&self) -> bool {
        self.answer.is_closed()
    }

    /// Ends the job without a reply. A caller that went away needs none.
    pub(crate) fn fail(self, error: UpstreamError) {
        self.answer.send(Err(error)).ok();
    }
}
