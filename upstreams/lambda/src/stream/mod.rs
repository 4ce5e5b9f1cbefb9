//! Replies that a function streams, by InvokeWithResponseStream.

mod body;
mod event;
mod message;

use std::future::poll_fn;

use callgate_aws_event::{Opening, Shape};
use callgate_core::{Body, ErrorKind, Response, UpstreamError};

use crate::{error, reply};
use body::{StreamedReply, drained};
pub(crate) use event::StreamError;
use event::{Completion, Event, Events};

/// Whose reply it is, for the log.
#[derive(Debug, Clone)]
pub(crate) struct Origin {
    pub(crate) function: String,
    /// The service's own id of the invocation.
    pub(crate) aws_request_id: String,
}

/// Reads a streamed reply until its head is known; the rest is the response's body. At most `limit` bytes are held.
pub(crate) async fn open(body: Body, shape: Shape, limit: u64, origin: Origin) -> Result<Response, UpstreamError> {
    let mut events = Events::new(body);
    let mut opening = Opening::new(shape, limit);
    loop {
        let event = poll_fn(|cx| events.poll_next(cx)).await.map_err(|error| origin.unreadable(error))?;
        match event {
            Event::Chunk(chunk) => {
                let opened = opening.push(&chunk).map_err(|error| origin.outside(&error))?;
                if let Some((head, first)) = opened {
                    return Ok(head.into_response(Body::new(StreamedReply::new(first, events, origin))));
                }
            }
            Event::Complete(completion) => {
                drained(&mut events).await;
                origin.ended(&completion)?;
                return opening.end().map_err(|error| origin.outside(&error));
            }
        }
    }
}

impl Origin {
    /// Logs how the function ended.
    fn ended(&self, completion: &Completion) -> Result<(), UpstreamError> {
        let Self { function, aws_request_id } = self;
        if let Some(encoded) = &completion.log_result {
            reply::log_tail(function, Some(aws_request_id), encoded);
        }
        match &completion.error_code {
            None => Ok(()),
            Some(code) => {
                let details = completion.error_details.as_deref().unwrap_or_default();
                Err(error::function_error(function, code, aws_request_id, details.as_bytes()))
            }
        }
    }

    fn unreadable(&self, error: StreamError) -> UpstreamError {
        error::stream(&self.function, &self.aws_request_id, error)
    }

    fn outside(&self, error: &callgate_aws_event::ReplyError) -> UpstreamError {
        let message = format!("the streamed reply of the function {} is outside its contract: {error}", self.function);
        UpstreamError::new(ErrorKind::BadReply, message)
    }
}

#[cfg(test)]
mod tests;
