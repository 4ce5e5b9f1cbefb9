//! Who is waited for: a call that takes too long need not be its upstream's fault.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};

use crate::body::{Body, BodyError};

/// Tells of a request's body whether more of it is waited for: who is too slow then is the client.
#[derive(Debug, Clone)]
pub(crate) struct Awaited(Arc<AtomicBool>);

impl Awaited {
    /// Has the body tell; `None` where it is in memory, so that nobody waits for it.
    pub(super) fn watch(body: &mut Body) -> Option<Self> {
        if body.as_bytes().is_some() {
            return None;
        }
        let waits = Arc::new(AtomicBool::new(false));
        let watched = std::mem::take(body);
        *body = Body::new(Watched { body: watched, waits: Arc::clone(&waits) });
        Some(Self(waits))
    }

    /// Whether the client is waited for at the moment.
    pub(crate) fn is_awaited(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

struct Watched {
    body: Body,
    waits: Arc<AtomicBool>,
}

impl HttpBody for Watched {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let frame = Pin::new(&mut self.body).poll_frame(cx);
        self.waits.store(frame.is_pending(), Ordering::Relaxed);
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
