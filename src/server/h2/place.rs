//! Where streams are served, one after the other.

use std::{
    future::poll_fn,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    task::{Poll, Wake},
};

use bytes::Bytes;
use h2::{RecvStream, server::SendResponse};
use http::Request;

use super::turns::Turns;

/// A request that came, and the way back.
pub(super) type Arrived = (Request<RecvStream>, SendResponse<Bytes>);

/// A place for streams, one after the other.
#[derive(Debug)]
pub(super) struct Place {
    number: usize,
    turns: Arc<Turns>,
    is_called: AtomicBool,
    next: Mutex<Option<Arrived>>,
    is_free: AtomicBool,
}

impl Place {
    pub(super) fn new(number: usize, turns: &Arc<Turns>) -> Arc<Self> {
        Arc::new(Self {
            number,
            turns: Arc::clone(turns),
            is_called: AtomicBool::new(false),
            next: Mutex::default(),
            is_free: AtomicBool::new(true),
        })
    }

    /// Gives the place a stream to serve.
    pub(super) fn take_up(&self, arrived: Arrived) {
        self.is_free.store(false, Ordering::Relaxed);
        *self.lock() = Some(arrived);
    }

    /// Waits for the next stream.
    pub(super) async fn next(&self) -> Arrived {
        poll_fn(|_| match self.lock().take() {
            Some(arrived) => Poll::Ready(arrived),
            None => {
                self.is_free.store(true, Ordering::Relaxed);
                Poll::Pending
            }
        })
        .await
    }

    pub(super) fn is_free(&self) -> bool {
        self.is_free.load(Ordering::Relaxed)
    }

    /// The place is about to be looked at; calls from now on are for another time.
    pub(super) fn looks(&self) {
        self.is_called.swap(false, Ordering::AcqRel);
    }

    fn lock(&self) -> MutexGuard<'_, Option<Arrived>> {
        self.next.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Wake for Place {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !self.is_called.swap(true, Ordering::AcqRel) {
            self.turns.call_place(self.number);
        }
    }
}
