//! The last reloads, for operators.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime},
};

use super::Reload;

/// How many reloads are remembered.
const REMEMBERED: usize = 20;

/// The last reloads.
#[derive(Debug, Default)]
pub(crate) struct History(Mutex<Known>);

#[derive(Debug)]
struct Known {
    /// The newest first.
    last: VecDeque<Arc<Reload>>,
    succeeded: u64,
    failed: u64,
    /// When the configuration in force came into force.
    in_force_since: SystemTime,
}

impl Default for Known {
    fn default() -> Self {
        Self { last: VecDeque::new(), succeeded: 0, failed: 0, in_force_since: SystemTime::now() }
    }
}

/// What became of reloads, in numbers.
#[derive(Debug)]
pub(crate) struct Told {
    pub(crate) succeeded: u64,
    pub(crate) failed: u64,
    /// Whether the last one did, if there was one.
    pub(crate) last_succeeded: bool,
    /// How long the last one took.
    pub(crate) took: Option<Duration>,
    pub(crate) in_force_since: SystemTime,
}

impl History {
    pub(super) fn add(&self, reload: Reload) -> Arc<Reload> {
        let reload = Arc::new(reload);
        let mut known = self.lock();
        if reload.outcome.succeeded() {
            known.succeeded += 1;
            known.in_force_since = reload.at + reload.took;
        } else {
            known.failed += 1;
        }
        known.last.truncate(REMEMBERED - 1);
        known.last.push_front(Arc::clone(&reload));
        reload
    }

    /// The last 20, the newest first.
    pub(crate) fn last(&self) -> Vec<Arc<Reload>> {
        self.lock().last.iter().cloned().collect()
    }

    /// All reloads since the gateway started, in numbers.
    pub(crate) fn told(&self) -> Told {
        let known = self.lock();
        let last = known.last.front();
        Told {
            succeeded: known.succeeded,
            failed: known.failed,
            last_succeeded: last.is_none_or(|reload| reload.outcome.succeeded()),
            took: last.map(|reload| reload.took),
            in_force_since: known.in_force_since,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::{super::Cause, *};

    #[test]
    fn the_newest_twenty_are_remembered_and_all_are_counted() {
        let history = History::default();
        assert!(history.last().is_empty());
        for seconds in 0..25 {
            history.add(Reload::broken(
                SystemTime::UNIX_EPOCH + Duration::from_secs(seconds),
                Duration::ZERO,
                Cause::Signal,
            ));
        }
        let at = |reload: &Reload| reload.at.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
        let last: Vec<_> = history.last().iter().map(|reload| at(reload)).collect();
        assert_eq!(last, (5..25).rev().collect::<Vec<_>>());
        let told = history.told();
        assert_eq!((told.succeeded, told.failed, told.last_succeeded, told.took), (0, 25, false, Some(Duration::ZERO)));
        assert!(History::default().told().last_succeeded);
    }
}
