//! Requests for the same, of which one goes to the function and the others wait for its reply.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::sync::{Mutex as Turn, OwnedMutexGuard};

type Turns = Mutex<HashMap<Arc<str>, Arc<Turn<()>>>>;

/// The requests that are under way, by their key.
#[derive(Debug, Default)]
pub(super) struct Flights(Arc<Turns>);

/// The right to ask the function; the next one has it when this is dropped.
#[derive(Debug)]
pub(super) struct Flight {
    turns: Arc<Turns>,
    key: Arc<str>,
    guard: Option<OwnedMutexGuard<()>>,
}

impl Flights {
    /// Waits until nobody else asks for the same.
    pub(super) async fn take(&self, key: &Arc<str>) -> Flight {
        // Made before anything is awaited: one that gives up while it waits is cleared away too.
        let mut flight = Flight { turns: Arc::clone(&self.0), key: Arc::clone(key), guard: None };
        let turn = Arc::clone(lock(&self.0).entry(Arc::clone(key)).or_default());
        flight.guard = Some(turn.lock_owned().await);
        flight
    }
}

fn lock(turns: &Turns) -> std::sync::MutexGuard<'_, HashMap<Arc<str>, Arc<Turn<()>>>> {
    turns.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Drop for Flight {
    fn drop(&mut self) {
        let mut turns = lock(&self.turns);
        self.guard = None;
        // Whoever waits holds the turn as well.
        if turns.get(&self.key).is_some_and(|turn| Arc::strong_count(turn) == 1) {
            turns.remove(&self.key);
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[tokio::test]
    async fn one_goes_and_the_next_follows() {
        let (flights, key, other) = (Flights::default(), Arc::from("a"), Arc::from("b"));
        let first = flights.take(&key).await;
        let mut second = Box::pin(flights.take(&key));
        assert!(second.as_mut().now_or_never().is_none());
        assert!(flights.take(&other).now_or_never().is_some());
        drop(first);
        let second = second.await;
        assert_eq!(lock(&flights.0).len(), 1);
        drop(second);
        assert!(lock(&flights.0).is_empty());
    }

    #[tokio::test]
    async fn who_gives_up_leaves_nothing_behind() {
        let (flights, key) = (Flights::default(), Arc::from("a"));
        let first = flights.take(&key).await;
        assert!(Box::pin(flights.take(&key)).as_mut().now_or_never().is_none());
        drop(first);
        assert!(lock(&flights.0).is_empty());
    }
}
