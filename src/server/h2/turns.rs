//! What of a connection of HTTP/2 has something to do.
//!
//! All streams of a connection are one task's. Each has a waker of its own, so that the task's turn looks at those alone that
//! were called, and not at all of them.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Wake, Waker},
};

/// How many streams have a turn together, and how many requests are taken up in one, before others on the worker have theirs.
pub(super) const MOST: usize = 32;

/// The turns of a connection's task.
#[derive(Debug)]
pub(super) struct Turns {
    task: Waker,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Places whose stream was called, each of them once.
    called: Vec<usize>,
    /// The connection itself was called.
    connection: bool,
    /// The task is having its turn, or is called to it.
    awake: bool,
}

impl Turns {
    /// Turns of the task that has this waker.
    pub(super) fn of(task: &Waker) -> Arc<Self> {
        Arc::new(Self { task: task.clone(), state: Mutex::default() })
    }

    /// A turn begins: puts the streams whose it is into `called`, behind those that had none on the last one.
    pub(super) fn begin(&self, called: &mut Vec<usize>) {
        let mut state = self.lock();
        state.awake = true;
        let room = MOST.saturating_sub(called.len()).min(state.called.len());
        called.extend(state.called.drain(..room));
    }

    /// The connection is about to be looked at.
    pub(super) fn looks_at_connection(&self) {
        self.lock().connection = false;
    }

    /// The turn ends. What is `unfinished`, and who was called meanwhile, has another one, after the worker's other tasks.
    pub(super) fn end(&self, unfinished: bool) {
        let mut state = self.lock();
        state.awake = unfinished || state.connection || !state.called.is_empty();
        if state.awake {
            drop(state);
            self.task.wake_by_ref();
        }
    }

    /// Calls the stream at a place, which is not called already.
    pub(super) fn call_place(&self, number: usize) {
        self.call(|state| state.called.push(number));
    }

    /// Calls the connection itself.
    pub(super) fn call_connection(&self) {
        self.call(|state| state.connection = true);
    }

    fn call(&self, who: impl FnOnce(&mut State)) {
        let mut state = self.lock();
        who(&mut state);
        if !std::mem::replace(&mut state.awake, true) {
            drop(state);
            self.task.wake_by_ref();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What calls the connection itself.
pub(super) struct OfConnection(pub(super) Arc<Turns>);

impl Wake for OfConnection {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.call_connection();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

    use super::*;

    #[derive(Default)]
    struct Task(AtomicUsize);

    impl Wake for Task {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Relaxed);
        }
    }

    fn turns() -> (Arc<Task>, Arc<Turns>) {
        let task = Arc::<Task>::default();
        (Arc::clone(&task), Turns::of(&task.into()))
    }

    #[test]
    fn many_calls_are_one_turn() {
        let (task, turns) = turns();
        let connection = Waker::from(Arc::new(OfConnection(Arc::clone(&turns))));
        turns.call_place(3);
        turns.call_place(5);
        connection.wake_by_ref();
        assert_eq!(task.0.load(Relaxed), 1);
        let mut called = Vec::new();
        turns.begin(&mut called);
        assert_eq!(called, [3, 5]);
        turns.looks_at_connection();
        turns.end(false);
        assert_eq!(task.0.load(Relaxed), 1);
        turns.call_place(3);
        assert_eq!(task.0.load(Relaxed), 2);
    }

    #[test]
    fn a_turn_is_for_so_many_and_the_others_have_the_next_one() {
        let (task, turns) = turns();
        (0..=MOST).for_each(|number| turns.call_place(number));
        let mut called = Vec::new();
        turns.begin(&mut called);
        assert_eq!(called, (0..MOST).collect::<Vec<_>>());
        turns.end(false);
        assert_eq!(task.0.load(Relaxed), 2);
        // One was looked at.
        called.remove(0);
        turns.begin(&mut called);
        assert_eq!(called, (1..=MOST).collect::<Vec<_>>());
        called.clear();
        turns.end(true);
        assert_eq!(task.0.load(Relaxed), 3);
    }

    #[test]
    fn who_is_called_in_a_turn_has_another_one() {
        let (task, turns) = turns();
        let connection = Waker::from(Arc::new(OfConnection(Arc::clone(&turns))));
        let mut called = Vec::new();
        turns.begin(&mut called);
        connection.wake_by_ref();
        turns.looks_at_connection();
        turns.call_place(1);
        assert_eq!(task.0.load(Relaxed), 0, "the task has its turn already");
        turns.end(false);
        assert_eq!(task.0.load(Relaxed), 1);
        turns.begin(&mut called);
        assert_eq!(called, [1]);
        turns.looks_at_connection();
        connection.wake_by_ref();
        turns.end(false);
        assert_eq!(task.0.load(Relaxed), 2);
    }
}
