//! A request's body that keeps the error it ends with: over HTTP/2 the codec resets the stream and forgets why.

use std::{
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
};

use bytes::Bytes;
use callgate_core::{Body, BodyError};
use http_body::{Body as HttpBody, Frame, SizeHint};

/// The error that a request's body ended with.
#[derive(Debug, Clone, Default)]
pub(crate) struct Note(Arc<Mutex<Option<BodyError>>>);

impl Note {
    pub(crate) fn take(&self) -> Option<BodyError> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// Keeps note of how the body ends. One in memory can't fail, and has none.
pub(crate) fn noted(body: Body) -> (Body, Option<Note>) {
    if body.as_bytes().is_some() {
        return (body, None);
    }
    let note = Note::default();
    (Body::new(Noted { body, note: note.clone() }), Some(note))
}

struct Noted {
    body: Body,
    note: Note,
}

impl HttpBody for Noted {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        Pin::new(&mut self.body).poll_frame(cx).map_err(|error| {
            let told = match &error {
                BodyError::TooLarge { limit } => BodyError::TooLarge { limit: *limit },
                BodyError::TimedOut => BodyError::TimedOut,
                other => BodyError::Cut(other.to_string().into()),
            };
            *self.note.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
            told
        })
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
