//! The streams of a connection that are being served.

use std::{
    convert::Infallible,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    sync::Arc,
    task::{Context, Waker},
};

use super::{
    place::{Arrived, Place},
    turns::Turns,
};

/// How many places keep their memory for the next stream.
const KEPT: usize = 16;

/// Places for streams. A place serves one after the other, so that most requests need no memory that the one before had not.
pub(super) struct Places<F, O> {
    turns: Arc<Turns>,
    open: O,
    slots: Vec<Slot<F>>,
    free: Vec<usize>,
}

struct Slot<F> {
    place: Arc<Place>,
    waker: Waker,
    serving: Option<Pin<Box<F>>>,
    is_free: bool,
}

impl<F, O> Places<F, O>
where
    F: Future<Output = Infallible>,
    O: Fn(Arc<Place>) -> F,
{
    /// Places that are opened, as they are needed, by `open`.
    pub(super) fn new(turns: &Arc<Turns>, open: O) -> Self {
        Self { turns: Arc::clone(turns), open, slots: Vec::new(), free: Vec::new() }
    }

    /// How many streams are served.
    pub(super) fn taken(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    /// Begins to serve a stream.
    pub(super) fn take_up(&mut self, arrived: Arrived) {
        let number = self.free.pop().unwrap_or_else(|| self.add());
        if let Some(slot) = self.slots.get_mut(number) {
            slot.is_free = false;
            slot.place.take_up(arrived);
            if slot.serving.is_none() {
                slot.serving = Some(Box::pin((self.open)(Arc::clone(&slot.place))));
            }
            self.poll(number);
        }
    }

    fn add(&mut self) -> usize {
        let place = Place::new(self.slots.len(), &self.turns);
        let waker = Waker::from(Arc::clone(&place));
        self.slots.push(Slot { place, waker, serving: None, is_free: false });
        self.slots.len() - 1
    }

    /// Goes on with the stream of a place.
    pub(super) fn poll(&mut self, number: usize) {
        // It may be gone: whoever has a stream's waker may call it later.
        let Some(slot) = self.slots.get_mut(number) else { return };
        slot.place.looks();
        let Some(serving) = &mut slot.serving else { return };
        let mut cx = Context::from_waker(&slot.waker);
        let polled = catch_unwind(AssertUnwindSafe(|| serving.as_mut().poll(&mut cx).is_ready()));
        if polled.is_err() {
            // The stream is reset as what was to answer it is dropped; the connection's others go on.
            tracing::error!("A request ended by a panic, which is a defect of Callgate.");
            slot.serving = None;
        }
        if !slot.is_free && (slot.serving.is_none() || slot.place.is_free()) {
            slot.is_free = true;
            if self.free.len() >= KEPT {
                slot.serving = None;
            }
            self.free.push(number);
        }
    }

    /// Gives the memory back that the next streams would need.
    pub(super) fn give_back(&mut self) {
        if self.taken() == 0 {
            (self.slots, self.free) = (Vec::new(), Vec::new());
        }
    }
}
