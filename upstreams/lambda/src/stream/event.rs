//! The events of InvokeWithResponseStream: chunks of the reply, then how the function ended.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::{Bytes, BytesMut};
use callgate_aws_event::StreamFailure;
use callgate_core::{Body, BodyError};
use http_body::Body as _;
use serde::Deserialize;

use super::message::{Decoder, Kind, Malformed, Part};

/// The most bytes of an event that is needed whole; that of the end holds 4 KB of log and an error.
const MAX_HELD: usize = 256 * 1024;

/// An event of the stream.
#[derive(Debug)]
pub(super) enum Event {
    /// Bytes of the reply.
    Chunk(Bytes),
    /// The function has ended.
    Complete(Completion),
}

/// How the function ended.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct Completion {
    /// Why it failed.
    pub(super) error_code: Option<String>,
    /// The function's own words for it.
    pub(super) error_details: Option<String>,
    /// The last of its log, in base64.
    pub(super) log_result: Option<String>,
}

/// Why a stream can't be read on.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StreamError {
    #[error(transparent)]
    Malformed(#[from] Malformed),
    #[error("the event stream was cut off")]
    Cut(#[source] BodyError),
    #[error("the event stream ended before it said how the function ended")]
    Ended,
    #[error("an event of the stream is larger than {MAX_HELD} bytes")]
    TooLong,
    #[error("the event that ends the stream is no JSON: {0}")]
    Completion(#[source] serde_json::Error),
    #[error("the function failed in the middle of its reply: {kind}: {message}")]
    Function { kind: String, message: String },
    #[error("the service broke the stream with {kind}: {message}")]
    Service { kind: String, message: String },
}

/// The events of a reply's body.
pub(super) struct Events {
    body: Body,
    input: Bytes,
    decoder: Decoder,
    current: Current,
}

/// The message that is being read.
enum Current {
    Chunk,
    Complete(BytesMut),
    Failure(Kind, BytesMut),
    /// None, or one of a kind that a later version of the service may have.
    Other,
}

impl Events {
    pub(super) fn new(body: Body) -> Self {
        Self { body, input: Bytes::new(), decoder: Decoder::new(), current: Current::Other }
    }

    /// The next event. After the last one, [`Self::poll_end`] is left.
    pub(super) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<Event, StreamError>> {
        loop {
            while let Some(part) = self.decoder.next(&mut self.input)? {
                if let Some(event) = self.on_part(part)? {
                    return Poll::Ready(Ok(event));
                }
            }
            match ready!(Pin::new(&mut self.body).poll_frame(cx)) {
                Some(Ok(frame)) => self.input = frame.into_data().unwrap_or_default(),
                Some(Err(error)) => return Poll::Ready(Err(StreamError::Cut(error))),
                None => return Poll::Ready(Err(StreamError::Ended)),
            }
        }
    }

    /// Ready when the body itself has ended too, so that its connection can serve the next call; what else it may bring
    /// is nobody's business.
    pub(super) fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        Pin::new(&mut self.body).poll_frame(cx).map(drop)
    }

    fn on_part(&mut self, part: Part) -> Result<Option<Event>, StreamError> {
        match (part, &mut self.current) {
            (Part::Begin(kind), _) => self.current = Current::of(kind),
            (Part::Payload(bytes), Current::Chunk) => match StreamFailure::in_chunk(&bytes) {
                None => return Ok(Some(Event::Chunk(bytes))),
                Some(StreamFailure { kind, document }) => {
                    let message = String::from_utf8_lossy(&document).chars().take(500).collect();
                    return Err(StreamError::Function { kind, message });
                }
            },
            (Part::Payload(bytes), Current::Complete(held) | Current::Failure(_, held)) => {
                if held.len() + bytes.len() > MAX_HELD {
                    return Err(StreamError::TooLong);
                }
                held.extend_from_slice(&bytes);
            }
            (Part::Payload(_), Current::Other) => {}
            (Part::End, Current::Complete(held)) => return completion(held).map(Event::Complete).map(Some),
            (Part::End, Current::Failure(kind, held)) => return Err(failure(std::mem::take(kind), held)),
            (Part::End, Current::Chunk | Current::Other) => self.current = Current::Other,
        }
        Ok(None)
    }
}

impl Current {
    fn of(kind: Kind) -> Self {
        match (&*kind.message, &*kind.name) {
            ("event", "PayloadChunk") => Self::Chunk,
            ("event", "InvokeComplete") => Self::Complete(BytesMut::new()),
            ("exception" | "error", _) => Self::Failure(kind, BytesMut::new()),
            _ => Self::Other,
        }
    }
}

fn completion(held: &[u8]) -> Result<Completion, StreamError> {
    if held.is_empty() {
        return Ok(Completion::default());
    }
    serde_json::from_slice(held).map_err(StreamError::Completion)
}

fn failure(kind: Kind, held: &[u8]) -> StreamError {
    let message = if held.is_empty() { kind.text } else { String::from_utf8_lossy(held).into_owned() };
    StreamError::Service { kind: kind.name, message: message.chars().take(500).collect() }
}
