//! The last reloads, for operators.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::Reload;

/// How many reloads are remembered.
const REMEMBERED: usize = 20;

/// The last reloads.
#[derive(Debug, Default)]
pub(crate) struct History(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    /// The newest first.
    last: VecDeque<Arc<Reload>>,
    succeeded: u64,
    failed: u64,
}

impl History {
    pub(super) fn add(&self, reload: Reload) -> Arc<Reload> {
        let reload = Arc::new(reload);
        let mut known = self.lock();
        let count = if reload.outcome.succeeded() { &mut known.succeeded } else { &mut known.failed };
        *count += 1;
        known.last.truncate(REMEMBERED - 1);
        known.last.push_front(Arc::clone(&reload));
        reload
    }

    /// The last 20, the newest first.
    pub(crate) fn last(&self) -> Vec<Arc<Reload>> {
        self.lock().last.iter().cloned().collect()
    }

    /// How many reloads succeeded since the gateway started, and how many failed.
    pub(crate) fn counts(&self) -> (u64, u64) {
        let known = self.lock();
        (known.succeeded, known.failed)
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use super::*;

    #[test]
    fn the_newest_twenty_are_remembered_and_all_are_counted() {
        let history = History::default();
        assert!(history.last().is_empty());
        for seconds in 0..25 {
            history.add(Reload::broken(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds), Duration::ZERO));
        }
        let at = |reload: &Reload| reload.at.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
        let last: Vec<_> = history.last().iter().map(|reload| at(reload)).collect();
        assert_eq!(last, (5..25).rev().collect::<Vec<_>>());
        assert_eq!(history.counts(), (0, 25));
    }
}
