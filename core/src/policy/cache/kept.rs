//! A body that is kept while a client gets it.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::{Bytes, BytesMut};
use http::request::Parts;
use http_body::{Body as HttpBody, Frame, SizeHint};
use http_cache_semantics::CachePolicy;

use super::{
    flight::Flight,
    has_credentials,
    store::{Entry, Store},
};
use crate::body::{Body, BodyError};

/// A reply whose body is still to come.
pub(super) struct Coming {
    pub(super) store: Arc<Store>,
    pub(super) key: Arc<str>,
    pub(super) request: Parts,
    pub(super) policy: CachePolicy,
    pub(super) by_ttl: bool,
    pub(super) limit: u64,
    /// Others wait until this one is kept.
    pub(super) flight: Option<Flight>,
}

impl Coming {
    /// Keeps the reply once its body has come.
    pub(super) fn keep(self, body: Body) -> Body {
        match body.as_bytes() {
            Some(bytes) if bytes.len() as u64 <= self.limit => {
                let bytes = Bytes::copy_from_slice(bytes);
                self.put(bytes.clone());
                bytes.into()
            }
            Some(_) => {
                self.store.pass(&self.key, has_credentials(&self.request));
                body
            }
            None if body.size_hint().lower() > self.limit => {
                self.store.pass(&self.key, has_credentials(&self.request));
                body
            }
            None => Body::new(Kept { body, bytes: BytesMut::new(), coming: Some(self) }),
        }
    }

    fn put(self, body: Bytes) {
        let Self { store, key, request, policy, by_ttl, flight, .. } = self;
        store.put(&key, &request, Entry { policy, body, by_ttl });
        drop(flight);
    }
}

struct Kept {
    body: Body,
    bytes: BytesMut,
    coming: Option<Coming>,
}

impl HttpBody for Kept {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = &mut *self;
        let frame = ready!(Pin::new(&mut this.body).poll_frame(cx));
        match &frame {
            Some(Ok(frame)) => {
                let length = this.bytes.len() as u64 + frame.data_ref().map_or(0, |data| data.len() as u64);
                // Trailers are not kept, and so what has some is not either.
                if this.coming.as_ref().is_some_and(|coming| length > coming.limit) || frame.is_trailers() {
                    let given_up = this.coming.take();
                    given_up
                        .into_iter()
                        .for_each(|coming| coming.store.pass(&coming.key, has_credentials(&coming.request)));
                    this.bytes = BytesMut::new();
                }
                if let (Some(data), true) = (frame.data_ref(), this.coming.is_some()) {
                    this.bytes.extend_from_slice(data);
                }
                if this.body.is_end_stream() {
                    this.end();
                }
            }
            Some(Err(_)) => this.coming = None,
            None => this.end(),
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Kept {
    fn end(&mut self) {
        let bytes = std::mem::take(&mut self.bytes).freeze();
        self.coming.take().into_iter().for_each(|coming| coming.put(bytes.clone()));
    }
}
