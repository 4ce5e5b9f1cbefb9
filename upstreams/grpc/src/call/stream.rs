//! A stream of messages in reply: a line of JSON for each, or an event.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use callgate_core::{Body, BodyError, Response, UpstreamError};
use http::{HeaderMap, HeaderValue, header};
use http_body::{Body as HttpBody, Frame};
use prost_reflect::{DynamicMessage, MessageDescriptor};
use serde_json::{Map, Value, json};
use tokio::time::timeout;

use crate::{
    contract::Method,
    error::{self, Refused},
    json::{self, Writing},
    reply::{Item, Messages},
    shape,
    status::{Code, Status},
};

/// How long the answer's head waits for the first message, or for the status of a call that failed at once.
const PATIENCE: Duration = Duration::from_millis(100);

/// How messages of a method are written.
pub(super) struct Writer {
    output: MessageDescriptor,
    how: Writing,
    /// The field that is written instead of the whole message.
    field: Option<String>,
}

impl Writer {
    pub(super) fn new(method: &Method, how: Writing, field: Option<&str>) -> Self {
        Self { output: method.output.clone(), how, field: field.map(ToOwned::to_owned) }
    }

    /// A message as JSON.
    pub(super) fn write(&self, message: &[u8]) -> Result<Vec<u8>, Refused> {
        let message = DynamicMessage::decode(self.output.clone(), message)?;
        Ok(match &self.field {
            Some(field) => json::write_field(&message, field, self.how)?,
            None => json::write(&message, self.how)?,
        })
    }

    /// The failure of a status.
    pub(super) fn failed(&self, status: &Status) -> UpstreamError {
        error::status(status, self.output.parent_pool())
    }
}

/// How a stream is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// A line for each message.
    Lines,
    /// Server-sent events.
    Events,
}

impl Form {
    /// What the client accepts: events where it names them.
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let mut accepted = headers.get_all(header::ACCEPT).iter().filter_map(|line| line.to_str().ok());
        let is_events = |one: &str| {
            let range = one.split(';').next().unwrap_or_default().trim();
            range.eq_ignore_ascii_case("text/event-stream")
        };
        if accepted.any(|line| line.split(',').any(is_events)) { Self::Events } else { Self::Lines }
    }

    fn content_type(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Self::Lines => "application/x-ndjson",
            Self::Events => "text/event-stream",
        })
    }

    fn message(self, json: &[u8]) -> Bytes {
        match self {
            Self::Lines => [json, b"\n"].concat(),
            Self::Events => [b"data: ", json, b"\n\n"].concat(),
        }
        .into()
    }

    fn failure(self, failure: &Value) -> Bytes {
        match self {
            Self::Lines => format!("{}\n", json!({"error": failure})),
            Self::Events => format!("event: error\ndata: {failure}\n\n"),
        }
        .into()
    }
}

/// Answers with the messages as they come.
pub(super) async fn answer(
    head: HeaderMap,
    mut messages: Messages,
    writer: Writer,
    form: Form,
) -> Result<Response, UpstreamError> {
    let (first, end) = match timeout(PATIENCE, messages.next()).await {
        Err(_) => (None, None),
        Ok(Ok(Item::Message(message))) => (Some(form.message(&writer.write(&message)?)), None),
        Ok(Ok(Item::End(status, trailers))) if status.code == Code::OK => (None, Some(trailers)),
        Ok(Ok(Item::End(status, _))) => return Err(writer.failed(&status)),
        Ok(Err(refused)) => return Err(refused.into()),
    };
    let mut response = match &end {
        Some(_) => Response::default(),
        None => Response::new(Body::new(Stream { messages, first, writer, form, state: State::Open })),
    };
    let headers = response.headers_mut();
    for metadata in end.iter().chain([&head]) {
        shape::metadata(metadata, headers);
    }
    headers.insert(header::CONTENT_TYPE, form.content_type());
    if form == Form::Events {
        headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-cache"));
    }
    Ok(response)
}

/// The body of the answer.
struct Stream {
    messages: Messages,
    /// The message that came before the head was answered.
    first: Option<Bytes>,
    writer: Writer,
    form: Form,
    state: State,
}

enum State {
    Open,
    /// The status was told; the connection is to break once it was sent, after so many more turns.
    Failed {
        turns: u8,
        reason: String,
    },
    Ended,
}

/// How many turns the sender gets for the last line before the connection breaks.
const TURNS: u8 = 3;

impl HttpBody for Stream {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        if let Some(first) = self.first.take() {
            return Poll::Ready(Some(Ok(Frame::data(first))));
        }
        match &mut self.state {
            State::Open => {}
            State::Failed { turns: 0, reason } => {
                let reason = std::mem::take(reason);
                self.state = State::Ended;
                return Poll::Ready(Some(Err(BodyError::Cut(reason.into()))));
            }
            State::Failed { turns, .. } => {
                *turns -= 1;
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            State::Ended => return Poll::Ready(None),
        }
        let cut = |refused: Refused| Some(Err(BodyError::Cut(refused.into())));
        let item = ready!(self.messages.poll_next(cx));
        Poll::Ready(match item {
            Ok(Item::Message(message)) => match self.writer.write(&message) {
                Ok(json) => Some(Ok(Frame::data(self.form.message(&json)))),
                Err(refused) => {
                    self.state = State::Ended;
                    cut(refused)
                }
            },
            Ok(Item::End(status, trailers)) if status.code == Code::OK => {
                self.state = State::Ended;
                let mut metadata = HeaderMap::new();
                shape::metadata(&trailers, &mut metadata);
                if metadata.is_empty() { None } else { Some(Ok(Frame::trailers(metadata))) }
            }
            Ok(Item::End(status, _)) => {
                let failure = self.writer.failed(&status);
                self.state = State::Failed { turns: TURNS, reason: failure.message().to_owned() };
                Some(Ok(Frame::data(self.form.failure(&told(&failure)))))
            }
            Err(refused) => {
                self.state = State::Ended;
                cut(refused)
            }
        })
    }

    fn is_end_stream(&self) -> bool {
        self.first.is_none() && matches!(self.state, State::Ended)
    }
}

/// What clients are told of a failure in the middle of a stream: the members that the problem document would have.
fn told(failure: &UpstreamError) -> Value {
    let mut told = Map::from_iter([("code".to_owned(), error::code(failure).into())]);
    told.extend(failure.members().cloned().unwrap_or_default());
    Value::Object(told)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_sent_where_they_are_accepted() {
        let of = |accept: &'static str| {
            Form::of(&HeaderMap::from_iter([(header::ACCEPT, HeaderValue::from_static(accept))]))
        };
        assert_eq!(of("text/event-stream"), Form::Events);
        assert_eq!(of("application/json, Text/Event-Stream;q=0.9"), Form::Events);
        assert_eq!(of("*/*"), Form::Lines);
        assert_eq!(of("application/x-ndjson"), Form::Lines);
        assert_eq!(Form::of(&HeaderMap::new()), Form::Lines);
    }

    #[test]
    fn a_failure_in_the_middle_is_a_line_or_an_event() {
        let failure = json!({"grpc_status": 5});
        assert_eq!(Form::Lines.failure(&failure), "{\"error\":{\"grpc_status\":5}}\n");
        assert_eq!(Form::Events.failure(&failure), "event: error\ndata: {\"grpc_status\":5}\n\n");
        assert_eq!(Form::Events.message(b"{}"), "data: {}\n\n");
    }
}
