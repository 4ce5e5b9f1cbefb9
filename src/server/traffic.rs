//! How many connections there are and what they carried, noted by each worker for itself.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering::Relaxed},
};

/// What the connections of one worker carried. Only its thread writes, so loads and stores suffice.
#[derive(Debug, Default)]
#[repr(align(128))]
pub(super) struct Counters {
    accepted: AtomicU64,
    closed: AtomicU64,
    received: AtomicU64,
    sent: AtomicU64,
}

fn add(counter: &AtomicU64, more: u64) {
    counter.store(counter.load(Relaxed).wrapping_add(more), Relaxed);
}

impl Counters {
    pub(super) fn accepts(&self) {
        add(&self.accepted, 1);
    }

    pub(super) fn closes(&self) {
        add(&self.closed, 1);
    }

    pub(super) fn receives(&self, bytes: usize) {
        add(&self.received, bytes as u64);
    }

    pub(super) fn sends(&self, bytes: usize) {
        add(&self.sent, bytes as u64);
    }
}

/// The connections of all workers. Clones share the counters.
#[derive(Debug, Clone, Default)]
pub struct Traffic(Arc<[Arc<Counters>]>);

/// What was carried so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Carried {
    /// Connections that were accepted.
    pub accepted: u64,
    /// Connections that are open.
    pub open: u64,
    /// Bytes that came from clients, as HTTP has them: without TLS.
    pub received: u64,
    /// Bytes that went to clients.
    pub sent: u64,
}

impl Traffic {
    pub(super) fn of_workers(workers: usize) -> Self {
        Self((0..workers).map(|_| Arc::default()).collect())
    }

    /// The counters of a worker; counters of its own where there is none of that index.
    pub(super) fn of(&self, worker: usize) -> Arc<Counters> {
        self.0.get(worker).map(Arc::clone).unwrap_or_default()
    }

    /// What all workers carried together.
    pub fn carried(&self) -> Carried {
        let mut carried = Carried::default();
        for counters in self.0.iter() {
            // In this order, no more are closed than were accepted.
            let closed = counters.closed.load(Relaxed);
            let accepted = counters.accepted.load(Relaxed);
            carried.accepted += accepted;
            carried.open += accepted.saturating_sub(closed);
            carried.received += counters.received.load(Relaxed);
            carried.sent += counters.sent.load(Relaxed);
        }
        carried
    }
}
