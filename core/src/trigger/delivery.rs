//! What a source hands out.

use bytes::Bytes;
use http::{HeaderMap, StatusCode};

use crate::respond::Code;

/// A message, and the way to settle it.
#[derive(Debug)]
pub struct Delivery<R> {
    /// The message.
    pub message: Message,
    /// The way to settle it.
    pub receipt: R,
}

/// A message on its way to a function.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Message {
    /// Where it was published to: a subject, a routing key.
    pub subject: String,
    /// Its headers as those of a request, `content-type` among them. A header that can't be one of HTTP is left out by
    /// the source.
    pub headers: HeaderMap,
    /// What it holds.
    pub payload: Bytes,
    /// The id that its producer gave it.
    pub id: Option<String>,
    /// How often the source has delivered it, this time included; 1 for the first.
    pub attempt: u32,
    /// Whether somebody waits for a reply.
    pub wants_reply: bool,
}

impl Message {
    /// A message that is delivered for the first time, without headers, id and wish for a reply.
    pub fn new(subject: impl Into<String>, payload: impl Into<Bytes>) -> Self {
        Self {
            subject: subject.into(),
            headers: HeaderMap::new(),
            payload: payload.into(),
            id: None,
            attempt: 1,
            wants_reply: false,
        }
    }
}

/// Who keeps a message that is to be tried again, and who counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Redelivery {
    /// The source takes it back and delivers it again after a delay, with a greater [`attempt`](Message::attempt).
    Delayed,
    /// The source delivers what it is given back at once, with a greater [`attempt`](Message::attempt): the gateway
    /// keeps it for the delay and gives it back then.
    Counted,
    /// The source does not count: the gateway keeps it and tries it again by itself, and a restart begins anew.
    Uncounted,
}

/// The answer to a message whose sender waits for one.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Reply {
    /// The response's status. What is not 2xx is a failure, which the source has to make recognisable.
    pub status: StatusCode,
    /// The response's headers, without those of a connection. A failure of the gateway has `callgate-error` among them.
    pub headers: HeaderMap,
    /// The response's body; of a failure of the gateway its problem document.
    pub body: Bytes,
    /// The code of a failure of the gateway; `None` for what the function answered.
    pub error: Option<Code>,
}

impl Reply {
    /// What a function answered, without headers.
    pub fn new(status: StatusCode, body: impl Into<Bytes>) -> Self {
        Self { status, headers: HeaderMap::new(), body: body.into(), error: None }
    }
}
