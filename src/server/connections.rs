//! A worker's open connections: counted, bounded, looked over, and told to finish.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};

use super::{
    activity::{Activity, Order, Patience, Watch},
    limits::Limits,
    origin::ListenerId,
    traffic::Counters,
};

/// Ticks that a connection without a request may last once the worker drains.
const TICKS_FOR_A_FIRST_REQUEST: u32 = 2;

/// How long a client of HTTP/2 may say nothing before it is asked whether it is there, and how long its answer may take.
const SILENCE: Duration = Duration::from_secs(30);
const TIME_TO_ANSWER: Duration = Duration::from_secs(20);

/// The open connections of one worker.
#[derive(Debug)]
pub(super) struct Connections {
    places: Arc<Semaphore>,
    patience: Patience,
    counters: Arc<Counters>,
    open: Mutex<Open>,
    emptied: Notify,
}

#[derive(Debug, Default)]
struct Open {
    entries: Vec<Entry>,
    /// Ticks since draining began.
    draining: Option<u32>,
}

#[derive(Debug)]
struct Entry {
    activity: Arc<Activity>,
    index: Arc<AtomicUsize>,
    watch: Watch,
    listener: ListenerId,
}

/// A place for one more connection, free again when this is dropped.
pub(super) type Place = OwnedSemaphorePermit;

/// A connection's entry among the open ones, until its socket is dropped.
#[derive(Debug)]
pub(super) struct Seat {
    connections: Arc<Connections>,
    activity: Arc<Activity>,
    index: Arc<AtomicUsize>,
    _place: Place,
}

impl Connections {
    pub(super) fn new(limits: &Limits, counters: Arc<Counters>) -> Arc<Self> {
        let tick = limits.tick();
        let ticks = |time: Duration| u32::try_from(time.as_nanos().div_ceil(tick.as_nanos())).unwrap_or(u32::MAX);
        Arc::new(Self {
            places: Arc::new(Semaphore::new(limits.connections_per_worker)),
            patience: Patience {
                head: ticks(limits.head_timeout),
                idle: ticks(limits.idle_timeout),
                write: ticks(limits.write_timeout),
                silence: ticks(SILENCE),
                death: ticks(SILENCE + TIME_TO_ANSWER),
            },
            counters,
            open: Mutex::default(),
            emptied: Notify::new(),
        })
    }

    /// Waits until there is a place for one more connection.
    pub(super) async fn place(&self) -> Option<Place> {
        Arc::clone(&self.places).acquire_owned().await.ok()
    }

    /// Takes a place if there is one.
    pub(super) fn try_place(&self) -> Option<Place> {
        Arc::clone(&self.places).try_acquire_owned().ok()
    }

    /// Enters a connection that a listener accepted.
    pub(super) fn enter(self: &Arc<Self>, place: Place, listener: ListenerId) -> Seat {
        let activity = Arc::new(Activity::new());
        self.counters.accepts();
        let mut open = self.lock();
        if open.draining.is_some() {
            activity.tell(Order::FinishAfterFirst);
        }
        let index = Arc::new(AtomicUsize::new(open.entries.len()));
        open.entries.push(Entry {
            activity: Arc::clone(&activity),
            index: Arc::clone(&index),
            watch: Watch::default(),
            listener,
        });
        drop(open);
        Seat { connections: Arc::clone(self), activity, index, _place: place }
    }

    /// Looks at every connection and closes those whose client has kept it waiting too long.
    pub(super) fn look_over(&self) {
        let mut open = self.lock();
        let open = &mut *open;
        let closing = match &mut open.draining {
            Some(ticks) => {
                *ticks += 1;
                *ticks > TICKS_FOR_A_FIRST_REQUEST
            }
            None => false,
        };
        for entry in &mut open.entries {
            let mut order = entry.watch.look(&entry.activity, self.patience);
            if closing && !entry.activity.had_request() {
                order = order.max(Order::Finish);
            }
            if order != Order::Serve {
                entry.activity.tell(order);
            }
        }
    }

    /// Tells every connection, and those still to come, to finish.
    pub(super) fn drain(&self) {
        let mut open = self.lock();
        open.draining.get_or_insert(0);
        for entry in &open.entries {
            entry.activity.tell(Order::FinishAfterFirst);
        }
    }

    /// Tells the connections of one listener to finish.
    pub(super) fn leave(&self, listener: ListenerId) {
        for entry in self.lock().entries.iter().filter(|entry| entry.listener == listener) {
            entry.activity.tell(Order::FinishAfterFirst);
        }
    }

    pub(super) fn count(&self) -> usize {
        self.lock().entries.len()
    }

    /// Waits until no connection is open.
    pub(super) async fn emptied(&self) {
        loop {
            let emptied = self.emptied.notified();
            if self.count() == 0 {
                return;
            }
            emptied.await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Seat {
    pub(super) fn activity(&self) -> &Arc<Activity> {
        &self.activity
    }

    /// What the worker's connections carry.
    pub(super) fn counters(&self) -> &Counters {
        &self.connections.counters
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.counters().closes();
        let mut open = self.connections.lock();
        let index = self.index.load(Relaxed);
        open.entries.swap_remove(index);
        if let Some(moved) = open.entries.get(index) {
            moved.index.store(index, Relaxed);
        }
        if open.entries.is_empty() {
            self.connections.emptied.notify_waiters();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn connections(places: usize) -> Arc<Connections> {
        Connections::new(&Limits { connections_per_worker: places, ..Limits::default() }, Arc::default())
    }

    #[test]
    fn a_place_is_free_again_when_its_connection_ends() {
        let connections = connections(1);
        let seat = connections.enter(connections.try_place().unwrap(), ListenerId::next());
        assert!(connections.try_place().is_none());
        drop(seat);
        assert!(connections.try_place().is_some());
    }

    #[test]
    fn connections_may_end_in_any_order() {
        let connections = connections(3);
        let enter = || connections.enter(connections.try_place().unwrap(), ListenerId::next());
        let (first, second, third) = (enter(), enter(), enter());
        drop(first);
        drop(third);
        assert_eq!(connections.count(), 1);
        drop(second);
        assert_eq!(connections.count(), 0);
    }

    #[test]
    fn a_listener_that_goes_takes_its_own_connections_along() {
        let connections = connections(2);
        let (going, staying) = (ListenerId::next(), ListenerId::next());
        let enter = |listener| connections.enter(connections.try_place().unwrap(), listener);
        let (first, second) = (enter(going), enter(staying));
        connections.leave(going);
        assert_eq!(first.activity().order(), Order::FinishAfterFirst);
        assert_eq!(second.activity().order(), Order::Serve);
    }

    #[test]
    fn draining_spares_a_connection_that_waits_for_its_first_request_but_not_for_long() {
        let connections = connections(2);
        let waiting = connections.enter(connections.try_place().unwrap(), ListenerId::next());
        connections.drain();
        assert_eq!(waiting.activity().order(), Order::FinishAfterFirst);
        for _ in 0..=TICKS_FOR_A_FIRST_REQUEST {
            connections.look_over();
        }
        assert_eq!(waiting.activity().order(), Order::Finish);
    }
}
