//! The body of a reply, which owns its connection until the end.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use callgate_core::{Body, BodyError};
use http_body::{Body as HttpBody, Frame, SizeHint};
use hyper::body::Incoming;

use super::{connection::Connection, link::Link};

/// A reply's body. Read to its end, it gives the connection back to the pool; dropped before, it closes it.
pub(crate) struct ReplyBody {
    /// What came with the head, in order.
    early: [Option<Early>; 2],
    rest: Incoming,
    connection: Option<Box<Connection>>,
}

type Early = Result<Frame<Bytes>, BodyError>;

/// Takes the body of a reply off a connection. A body that has come whole with its head is done with at once.
pub(crate) fn receive(connection: Box<Connection>, mut rest: Incoming) -> Body {
    if connection.link.is_uploading() {
        // The client may not read a byte of the reply before it has sent its whole request.
        connection.drive_alone();
        return Body::new(rest);
    }
    if rest.is_end_stream() {
        connection.give_back();
        return Body::empty();
    }
    let mut early = [None, None];
    let mut connection = Some(connection);
    for place in &mut early {
        let Some(link) = connection.as_mut().map(|connection| &mut connection.link) else {
            break;
        };
        match link.next_frame_now(&mut rest) {
            Poll::Pending => break,
            Poll::Ready(Some(Ok(frame))) => {
                *place = Some(Ok(frame));
                if rest.is_end_stream() {
                    end(&mut connection);
                }
            }
            Poll::Ready(Some(Err(error))) => {
                *place = Some(Err(cut(link, error)));
                connection = None;
            }
            Poll::Ready(None) => end(&mut connection),
        }
    }
    match early {
        [None, None] if connection.is_none() => Body::empty(),
        [Some(Ok(frame)), None] if connection.is_none() && frame.is_data() => {
            frame.into_data().map_or_else(|_| Body::empty(), Body::from)
        }
        early => Body::new(ReplyBody { early, rest, connection }),
    }
}

/// The reply is complete.
fn end(connection: &mut Option<Box<Connection>>) {
    if let Some(connection) = connection.take() {
        connection.give_back();
    }
}

/// What the connection ended by says more than the body does.
fn cut(link: &mut Link, error: hyper::Error) -> BodyError {
    BodyError::Cut(link.take_error().unwrap_or(error).into())
}

impl HttpBody for ReplyBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = self.get_mut();
        if let Some(frame) = this.early.iter_mut().find_map(Option::take) {
            return Poll::Ready(Some(frame));
        }
        let Some(connection) = &mut this.connection else {
            return Poll::Ready(None);
        };
        match ready!(connection.link.poll_frame(&mut this.rest, cx)) {
            Some(Ok(frame)) => {
                if this.rest.is_end_stream() {
                    end(&mut this.connection);
                }
                Poll::Ready(Some(Ok(frame)))
            }
            Some(Err(error)) => {
                let error = cut(&mut connection.link, error);
                this.connection = None;
                Poll::Ready(Some(Err(error)))
            }
            None => {
                end(&mut this.connection);
                Poll::Ready(None)
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.connection.is_none() && self.early.iter().all(Option::is_none)
    }

    fn size_hint(&self) -> SizeHint {
        let early = self.early.iter().flatten().filter_map(|frame| frame.as_ref().ok()?.data_ref());
        let early: u64 = early.map(|data| data.len() as u64).sum();
        let rest = self.rest.size_hint();
        let mut hint = SizeHint::new();
        hint.set_lower(rest.lower() + early);
        if let Some(upper) = rest.upper() {
            hint.set_upper(upper + early);
        }
        hint
    }
}
