//! The body of a reply, which owns its connection until the end.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use callgate_core::{Body, BodyError};
use http_body::{Body as HttpBody, Frame, SizeHint};

use super::{alone::drive_alone, broken::Broken, connection::Connection};

/// A reply's body. Read to its end, it gives the connection back to the pool; dropped before, it closes it.
struct ReplyBody {
    /// What came with the head, in order.
    early: [Option<Early>; 2],
    connection: Option<Box<Connection>>,
}

type Early = Result<Frame<Bytes>, BodyError>;

/// Takes the body of a reply off a connection. A body that has come whole with its head is done with at once.
///
/// # Errors
/// It is broken before any of it, so that the reply is none.
pub(crate) fn receive(connection: Box<Connection>) -> Result<Body, Broken> {
    if connection.link.is_uploading() {
        return Ok(drive_alone(connection));
    }
    let mut early = [None, None];
    let mut connection = Some(connection);
    for (index, place) in early.iter_mut().enumerate() {
        let Some(link) = connection.as_mut().map(|connection| &mut connection.link) else {
            break;
        };
        match link.next_frame_now() {
            Poll::Pending => break,
            Poll::Ready(Some(Ok(frame))) => {
                let is_last = link.is_received();
                *place = Some(Ok(frame));
                if is_last {
                    end(&mut connection);
                }
            }
            Poll::Ready(Some(Err(error))) if index == 0 => return Err(error),
            Poll::Ready(Some(Err(error))) => {
                *place = Some(Err(cut(error)));
                connection = None;
            }
            Poll::Ready(None) => end(&mut connection),
        }
    }
    Ok(match early {
        [None, None] if connection.is_none() => Body::empty(),
        [Some(Ok(frame)), None] if connection.is_none() && frame.is_data() => {
            frame.into_data().map_or_else(|_| Body::empty(), Body::from)
        }
        early => Body::new(ReplyBody { early, connection }),
    })
}

/// The reply is complete.
fn end(connection: &mut Option<Box<Connection>>) {
    if let Some(connection) = connection.take() {
        connection.give_back();
    }
}

fn cut(error: Broken) -> BodyError {
    BodyError::Cut(error.into())
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
        match ready!(connection.link.poll_frame(cx)) {
            Some(Ok(frame)) => {
                if connection.link.is_received() {
                    end(&mut this.connection);
                }
                Poll::Ready(Some(Ok(frame)))
            }
            Some(Err(error)) => {
                this.connection = None;
                Poll::Ready(Some(Err(cut(error))))
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
        let early = self.early.iter().flatten();
        let data = early.clone().filter_map(|frame| frame.as_ref().ok()?.data_ref());
        // Who knew a length would send it, and ask for no error and no trailers behind it.
        let is_data = early.clone().all(|frame| frame.as_ref().is_ok_and(Frame::is_data));
        let early: u64 = data.map(|data| data.len() as u64).sum();
        let rest = self.connection.as_ref().map_or(SizeHint::with_exact(0), |connection| connection.link.size_hint());
        let mut hint = SizeHint::new();
        hint.set_lower(rest.lower() + early);
        if let Some(upper) = rest.upper().filter(|_| is_data) {
            hint.set_upper(upper + early);
        }
        hint
    }
}
