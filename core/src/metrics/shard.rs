//! Counters that every worker has for itself: no worker writes to memory that another one writes to.

use std::{
    cell::Cell,
    sync::{LazyLock, OnceLock},
    thread,
};

/// How many threads count apart, a power of two. Threads beyond it share, which costs time and no count.
static SHARDS: LazyLock<usize> = LazyLock::new(|| {
    const MOST: usize = 64;
    let threads = thread::available_parallelism().map_or(1, usize::from);
    (threads + 1).next_power_of_two().min(MOST)
});

thread_local! {
    /// 0 is for all threads that are no workers.
    static SHARD: Cell<usize> = const { Cell::new(0) };
}

/// Gives the calling thread counters of its own. Every worker does this once, before its first request; all other
/// threads count together.
pub fn count_apart(worker: usize) {
    SHARD.set(worker + 1);
}

/// Which worker the calling thread is, counted from 0; `None` for a thread that is none.
pub(crate) fn worker() -> Option<usize> {
    SHARD.get().checked_sub(1)
}

/// How many threads count apart.
pub(crate) fn shards() -> usize {
    *SHARDS
}

/// One `T` per thread that counts, made when it first counts: what is never used takes no more than a pointer each.
#[derive(Debug)]
pub(crate) struct Sharded<T>(Box<[OnceLock<Box<Padded<T>>>]>);

/// Two cache lines, as processors fetch them in pairs.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Padded<T>(T);

impl<T: Default> Sharded<T> {
    pub(crate) fn new() -> Self {
        Self((0..*SHARDS).map(|_| OnceLock::new()).collect())
    }

    /// What the calling thread counts in.
    pub(crate) fn mine(&self) -> &T {
        let index = SHARD.get() & (self.0.len() - 1);
        &self.0[index].get_or_init(Box::default).0
    }

    /// What all threads have counted in so far.
    pub(crate) fn all(&self) -> impl Iterator<Item = &T> {
        self.0.iter().filter_map(|shard| shard.get().map(|padded| &padded.0))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

    use super::*;

    #[test]
    fn what_threads_count_apart_is_summed() {
        let counters = Sharded::<AtomicU64>::new();
        assert_eq!(counters.all().count(), 0);
        thread::scope(|scope| {
            for worker in 0..3 {
                let counters = &counters;
                scope.spawn(move || {
                    count_apart(worker);
                    for _ in 0..1000 {
                        counters.mine().fetch_add(1, Relaxed);
                    }
                });
            }
        });
        counters.mine().fetch_add(1, Relaxed);
        assert_eq!(counters.all().map(|counter| counter.load(Relaxed)).sum::<u64>(), 3001);
    }
}
