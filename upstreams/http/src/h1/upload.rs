//! The body of a request while it is sent.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use callgate_core::{Body, BodyError};
use http_body::{Body as HttpBody, Frame, SizeHint};

use crate::gate::Gate;

/// A request's body that tells when nothing of it is left to be read. Bodies in memory don't need to.
pub(crate) struct Upload {
    body: Body,
    gate: Option<Arc<Gate>>,
}

impl Upload {
    pub(crate) fn new(body: Body, gate: &Arc<Gate>) -> Self {
        let streamed = body.as_bytes().is_none();
        gate.set_uploading(streamed);
        Self { body, gate: streamed.then(|| gate.clone()) }
    }

    pub(crate) fn into_inner(mut self) -> Body {
        std::mem::take(&mut self.body)
    }
}

impl HttpBody for Upload {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Upload {
    /// The codec drops a body when it has its end.
    fn drop(&mut self) {
        if let Some(gate) = &self.gate {
            gate.set_uploading(false);
        }
    }
}
