//! The waker of a connection that a request owns.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU8, AtomicUsize, Ordering},
    },
    task::{Wake, Waker},
};

use futures_util::task::AtomicWaker;

const OPEN: u8 = 0;
const CLOSED: u8 = 1;
const MISSED: u8 = 2;

/// Stands between a connection and the task that drives it at the moment.
///
/// hyper joins a connection to its request and reply by channels, whose two ends are polled by the same task here: each
/// message would wake the task that is just handling it, for one more turn that finds nothing. The gate is closed while
/// the task works on the connection, and opened when it is about to wait. It stays the same for the life of the
/// connection, so that the registration with the I/O driver need not be renewed when the task changes.
#[derive(Debug)]
pub(crate) struct Gate {
    task: AtomicWaker,
    state: AtomicU8,
    /// How many bytes may still be read before the head of the reply is complete.
    head: AtomicUsize,
    /// Whether the request's streamed body is still being sent.
    uploading: AtomicBool,
    /// Whether the request's bytes are kept: one of the three below.
    keeping: AtomicU8,
}

const KEEP_NOTHING: u8 = 0;
const KEEP_FROM_HERE: u8 = 1;
const KEEP_ON: u8 = 2;

/// What a connection does with the bytes that it writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Keeping {
    Nothing,
    /// A request begins, and is kept.
    FromHere,
    On,
}

/// Read limit outside of heads.
const UNLIMITED: usize = usize::MAX;

impl Gate {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            task: AtomicWaker::new(),
            state: AtomicU8::new(CLOSED),
            head: AtomicUsize::new(UNLIMITED),
            uploading: AtomicBool::new(false),
            keeping: AtomicU8::new(KEEP_NOTHING),
        })
    }

    /// The task of this waker takes over the connection and works on it.
    pub(crate) fn enter(&self, task: &Waker) {
        self.close();
        self.task.register(task);
    }

    /// Nobody is woken until [`Self::leave`].
    pub(crate) fn close(&self) {
        self.state.store(CLOSED, Ordering::SeqCst);
    }

    /// Whether nothing has happened since the gate was closed.
    pub(crate) fn is_quiet(&self) -> bool {
        self.state.load(Ordering::SeqCst) == CLOSED
    }

    /// The task is about to wait. What happened since the gate was closed wakes it again.
    pub(crate) fn leave(&self) {
        if self.state.swap(OPEN, Ordering::SeqCst) & MISSED != 0 {
            self.task.wake();
        }
    }

    /// A reply is awaited, whose head, interim replies included, may take `limit` bytes.
    pub(crate) fn await_head(&self, limit: usize) {
        self.head.store(limit, Ordering::Relaxed);
    }

    /// The head has come. Answers how much of the limit is left.
    pub(crate) fn head_came(&self) -> usize {
        self.head.swap(UNLIMITED, Ordering::Relaxed)
    }

    /// Takes bytes that were read off the limit; false when it is used up.
    pub(crate) fn count(&self, bytes: usize) -> bool {
        let left = self.head.load(Ordering::Relaxed);
        if left == UNLIMITED {
            return true;
        }
        self.head.store(left.saturating_sub(bytes), Ordering::Relaxed);
        bytes < left
    }

    /// A request begins, whose bytes are kept or not.
    pub(crate) fn keep(&self, keep: bool) {
        self.keeping.store(if keep { KEEP_FROM_HERE } else { KEEP_NOTHING }, Ordering::Relaxed);
    }

    /// Whether bytes of the latest request were written and kept.
    pub(crate) fn has_kept(&self) -> bool {
        self.keeping.load(Ordering::Relaxed) == KEEP_ON
    }

    /// What to do with bytes that are written now.
    pub(crate) fn keeping(&self) -> Keeping {
        match self.keeping.load(Ordering::Relaxed) {
            KEEP_NOTHING => Keeping::Nothing,
            KEEP_FROM_HERE => {
                self.keeping.store(KEEP_ON, Ordering::Relaxed);
                Keeping::FromHere
            }
            _ => Keeping::On,
        }
    }

    pub(crate) fn set_uploading(&self, uploading: bool) {
        self.uploading.store(uploading, Ordering::Release);
    }

    pub(crate) fn is_uploading(&self) -> bool {
        self.uploading.load(Ordering::Acquire)
    }
}

impl Wake for Gate {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if self.state.fetch_or(MISSED, Ordering::SeqCst) & CLOSED == 0 {
            self.task.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default)]
    struct Woken(AtomicUsize);

    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    #[test]
    fn wakes_only_a_task_that_waits() {
        let (gate, woken) = (Gate::new(), Arc::new(Woken::default()));
        let connection = Waker::from(gate.clone());
        gate.enter(&Waker::from(woken.clone()));
        gate.leave();
        connection.wake_by_ref();
        assert_eq!(woken.0.load(Ordering::SeqCst), 1);

        gate.enter(&Waker::from(woken.clone()));
        connection.wake_by_ref();
        assert_eq!(woken.0.load(Ordering::SeqCst), 1);
    }

    #[test]
    fn what_happened_at_work_is_not_lost() {
        let (gate, woken) = (Gate::new(), Arc::new(Woken::default()));
        gate.enter(&Waker::from(woken.clone()));
        Waker::from(gate.clone()).wake_by_ref();
        gate.leave();
        assert_eq!(woken.0.load(Ordering::SeqCst), 1);
    }

    #[test]
    fn what_happens_to_a_connection_at_rest_is_noticed() {
        let gate = Gate::new();
        gate.close();
        assert!(gate.is_quiet());
        Waker::from(gate.clone()).wake_by_ref();
        assert!(!gate.is_quiet());
    }

    #[test]
    fn bytes_count_only_until_the_head_has_come() {
        let gate = Gate::new();
        assert!(gate.count(1 << 30));
        gate.await_head(10);
        assert!(gate.count(9));
        assert!(!gate.count(1));
        gate.await_head(10);
        assert!(gate.count(3));
        assert_eq!(gate.head_came(), 7);
        assert!(gate.count(1 << 30));
    }
}
