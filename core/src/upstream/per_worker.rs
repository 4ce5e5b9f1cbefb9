//! What an upstream has once for each worker.

use std::sync::OnceLock;

use crate::metrics::{shards, worker};

/// One `T` for each worker, made when the worker first needs it: what is used by one thread wakes no other.
///
/// Threads that are no workers have none. Where there are many more workers than processors, some share one, so what is kept
/// here has to work from any thread.
#[derive(Debug)]
pub struct PerWorker<T>(Box<[OnceLock<T>]>);

impl<T> Default for PerWorker<T> {
    fn default() -> Self {
        Self((0..shards()).map(|_| OnceLock::new()).collect())
    }
}

impl<T> PerWorker<T> {
    /// The calling worker's place; `None` on a thread that is no worker.
    pub fn here(&self) -> Option<&OnceLock<T>> {
        let worker = worker()?;
        Some(&self.0[worker % self.0.len()])
    }

    /// What workers have made so far.
    pub fn all(&self) -> impl Iterator<Item = &T> {
        self.0.iter().filter_map(OnceLock::get)
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;
    use crate::metrics::count_apart;

    #[test]
    fn a_worker_finds_what_it_made_and_other_threads_find_nothing() {
        let made = PerWorker::default();
        assert!(made.here().is_none());
        thread::scope(|scope| {
            for number in 0..2 {
                let made = &made;
                scope.spawn(move || {
                    count_apart(number);
                    assert_eq!(made.here().unwrap().get_or_init(|| number), &number);
                });
            }
        });
        assert_eq!(made.all().copied().collect::<Vec<_>>(), [0, 1]);
    }
}
