//! What became of one try.

use std::{future::Future, time::Duration};

use http::{StatusCode, header};
use http_body_util::BodyExt;
use tokio::time::timeout;

use super::Reply;
use crate::{
    body::{Body, BodyError},
    edge,
    error::{ErrorKind, UpstreamError, chain, retry_after},
    failure::Failure,
    gateway::REQUEST_ID,
    invocation::Response,
    observe::Reshaped,
    policy::{End, Policies, Reason},
    request_id::RequestId,
    respond::{self, Code, Speech},
};

/// The longest wait that an upstream may ask for.
const LONGEST_WAIT: Duration = Duration::from_secs(3600);

/// A try came to an end.
#[derive(Debug)]
pub(super) enum Outcome {
    /// The function answered 2xx, and its whole reply came.
    Done(Reply),
    /// Anything else.
    Failed(Box<Failed>),
}

impl Outcome {
    /// The code of the failure.
    pub(super) fn code(&self) -> Option<Code> {
        match self {
            Self::Done(_) => None,
            Self::Failed(failed) => Some(failed.code),
        }
    }
}

/// A try that failed.
#[derive(Debug)]
pub(super) struct Failed {
    pub(super) code: Code,
    /// The status, where the function itself chose it.
    pub(super) status: Option<StatusCode>,
    /// What decides whether it is tried again.
    end: End,
    /// What anybody may read.
    pub(super) detail: String,
    /// What happened, for the log.
    pub(super) error: String,
    pub(super) retry_after: Option<Duration>,
    pub(super) reply: Reply,
}

impl Failed {
    /// Whether another try is wanted for it.
    pub(super) fn is_one_of(&self, reasons: &[Reason]) -> bool {
        reasons.iter().any(|reason| reason.is_end(self.end))
    }

    pub(super) fn gateways(failure: &Failure, id: RequestId) -> Self {
        let code = Code::from(failure);
        let detail = respond::detail(failure, code).into_owned();
        let retry_after = failure.retry_after();
        let (head, body) = respond::respond(failure, id, Speech::Plain).into_parts();
        let body = body.as_bytes().unwrap_or_default().to_vec().into();
        let reply = Reply { status: head.status, headers: head.headers, body, error: Some(code) };
        let end = End::of_failure(failure);
        Self { code, status: failure.chosen_status(), end, detail, error: chain(failure), retry_after, reply }
    }

    fn functions(reply: Reply, end: Option<End>) -> Self {
        let status = reply.status;
        let detail = format!("The function answered with the status {status}.");
        // A failure of the gateway that the route's steps reshaped is one still.
        let (code, status) = match reply.error {
            Some(code) => (code, None),
            None => (Code::FunctionError, Some(status)),
        };
        let retry_after = retry_after(&reply.headers);
        let end = end.unwrap_or(End { status, ..End::default() });
        Self { code, status, end, error: detail.clone(), detail, retry_after, reply }
    }

    /// The gateway's own code broke down.
    pub(super) fn panicked(id: RequestId) -> Self {
        Self::own(ErrorKind::FunctionError, "the gateway panicked while it worked on the message", id)
    }

    /// The gateway ended before the message was processed.
    pub(super) fn ended(id: RequestId) -> Self {
        Self::own(ErrorKind::Unavailable, "the gateway ended before the message was processed", id)
    }

    fn own(kind: ErrorKind, what: &'static str, id: RequestId) -> Self {
        Self::gateways(&Failure::Upstream(UpstreamError::new(kind, what)), id)
    }

    /// How long the upstream asks to wait, within reason.
    pub(super) fn wait(&self) -> Duration {
        self.retry_after.unwrap_or_default().min(LONGEST_WAIT)
    }
}

/// Reads a reply to its end, and judges it. What nobody waits for is not kept.
pub(super) async fn judge(
    reply: Result<Response, Failure>,
    id: RequestId,
    policies: &Policies,
    wants_reply: bool,
) -> Outcome {
    let response = match reply {
        Ok(response) => response,
        Err(failure) => return Outcome::Failed(Box::new(Failed::gateways(&failure, id))),
    };
    let (mut head, body) = response.into_parts();
    let read = in_time(policies.timeout.head, async {
        if wants_reply {
            body.collect(policies.max_body).await
        } else {
            discard(body).await.map(|()| bytes::Bytes::new())
        }
    });
    let body = match read.await {
        Ok(body) => body,
        Err(error) => return Outcome::Failed(Box::new(Failed::gateways(&Failure::reply_body(error), id))),
    };
    edge::strip_response(head.status, &mut head.headers);
    head.headers.remove(header::CONTENT_LENGTH);
    head.headers.insert(REQUEST_ID, id.to_header());
    let reshaped = head.extensions.get::<Reshaped>();
    let (error, end) = (reshaped.map(|reshaped| reshaped.code), reshaped.map(|reshaped| reshaped.end));
    let reply = Reply { status: head.status, headers: head.headers, body, error };
    if reply.status.is_success() {
        Outcome::Done(reply)
    } else {
        Outcome::Failed(Box::new(Failed::functions(reply, end)))
    }
}

async fn in_time<T>(limit: Duration, read: impl Future<Output = Result<T, BodyError>>) -> Result<T, BodyError> {
    timeout(limit, read).await.unwrap_or(Err(BodyError::TimedOut))
}

async fn discard(mut body: Body) -> Result<(), BodyError> {
    while let Some(frame) = body.frame().await {
        frame?;
    }
    Ok(())
}
