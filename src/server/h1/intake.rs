//! A request's body between the connection that it comes in on and whoever reads it.
//!
//! Nothing is read ahead: a frame is taken off the connection when the reader asks for it. The reader may be in another task
//! than the connection, and may outlive the answer.

use std::{
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
};

use bytes::Bytes;
use callgate_core::{Body, BodyError};
use callgate_http::wire::Decoder;
use http_body::{Body as HttpBody, Frame, SizeHint};

use crate::server::activity::Activity;

type Next = Result<Frame<Bytes>, BodyError>;

/// What passes from the connection to the reader.
#[derive(Debug, Default)]
struct Flow {
    /// A frame that the reader has not taken.
    next: Option<Next>,
    /// Nothing comes after it.
    ended: bool,
    /// It ended before its end.
    broken: bool,
    /// The reader waits for a frame.
    wanted: bool,
    /// The reader reads no more.
    left: bool,
    reader: Option<Waker>,
}

/// The connection's end of a body.
#[derive(Debug)]
pub(super) struct Intake {
    pub(super) decoder: Decoder,
    flow: Arc<Mutex<Flow>>,
}

/// What the reader of a body does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reader {
    /// Waits for a frame.
    Waits,
    /// Is busy with the last one.
    Busy,
    /// Has got all of it.
    Done,
    /// Wants no more.
    Left,
}

impl Intake {
    /// A body that comes in, for both ends.
    pub(super) fn new(decoder: Decoder, activity: &Arc<Activity>) -> (Self, Body) {
        let flow = Arc::<Mutex<Flow>>::default();
        let hint = decoder.size_hint();
        let received = Received { flow: Arc::clone(&flow), hint, activity: Arc::clone(activity) };
        (Self { decoder, flow }, Body::new(received))
    }

    pub(super) fn reader(&self) -> Reader {
        let flow = lock(&self.flow);
        match &*flow {
            Flow { left: true, .. } => Reader::Left,
            Flow { ended: true, .. } => Reader::Done,
            Flow { wanted: true, next: None, .. } => Reader::Waits,
            _ => Reader::Busy,
        }
    }

    /// Gives the reader what it waits for; `None` is the end. True where the reader is of the task that is polled, which
    /// then has to look for itself.
    pub(super) fn give(&self, next: Option<Next>, cx: &Context<'_>) -> bool {
        let mut flow = lock(&self.flow);
        flow.ended = self.decoder.is_done() || !matches!(next, Some(Ok(_)));
        flow.broken = matches!(next, Some(Err(_)));
        flow.next = next;
        flow.wanted = false;
        match flow.reader.take() {
            Some(reader) if reader.will_wake(cx.waker()) => true,
            Some(reader) => {
                drop(flow);
                reader.wake();
                false
            }
            None => false,
        }
    }
}

impl Drop for Intake {
    /// Who still reads must not wait for what never comes.
    fn drop(&mut self) {
        let mut flow = lock(&self.flow);
        if !flow.ended {
            (flow.ended, flow.broken) = (true, true);
            flow.next = Some(Err(BodyError::Cut("the connection ended".into())));
            if let Some(reader) = flow.reader.take() {
                drop(flow);
                reader.wake();
            }
        }
    }
}

/// The reader's end.
struct Received {
    flow: Arc<Mutex<Flow>>,
    hint: SizeHint,
    activity: Arc<Activity>,
}

impl HttpBody for Received {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let mut flow = lock(&self.flow);
        if let Some(next) = flow.next.take() {
            drop(flow);
            if let (Ok(frame), Some(left)) = (&next, self.hint.exact()) {
                let length = frame.data_ref().map_or(0, |data| data.len() as u64);
                self.hint = SizeHint::with_exact(left.saturating_sub(length));
            }
            return Poll::Ready(Some(next));
        }
        if flow.ended {
            return Poll::Ready(None);
        }
        flow.wanted = true;
        if !flow.reader.as_ref().is_some_and(|reader| reader.will_wake(cx.waker())) {
            flow.reader = Some(cx.waker().clone());
        }
        drop(flow);
        self.activity.drive_unless_by(cx.waker());
        Poll::Pending
    }

    fn is_end_stream(&self) -> bool {
        let flow = lock(&self.flow);
        flow.ended && flow.next.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        self.hint
    }
}

impl Drop for Received {
    fn drop(&mut self) {
        let mut flow = lock(&self.flow);
        flow.left = true;
        let is_whole = flow.ended && !flow.broken && flow.next.is_none();
        flow.next = None;
        drop(flow);
        if !is_whole {
            self.activity.leaves_body();
            self.activity.drive();
        }
    }
}

fn lock(flow: &Mutex<Flow>) -> MutexGuard<'_, Flow> {
    flow.lock().unwrap_or_else(PoisonError::into_inner)
}
