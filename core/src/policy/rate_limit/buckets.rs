//! The buckets of this gateway: one per key, in bounded memory, kept over reloads.

use std::{
    collections::HashMap,
    hash::{BuildHasher, Hash},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicU64, Ordering},
    },
};

use tokio::time::Instant;

use super::{gcra::Bucket, settings::By};
use crate::remote::Drawn;

/// Parts of a table that are locked on their own.
const SHARDS: usize = 16;

/// How many keys a part holds at most: 131,072 in all, some 6 MB.
const MOST: usize = 8192;

/// The number of keys at which a part is first rid of those that are idle.
const FEW: usize = 256;

/// How many keys are looked at to find one that may go.
const SAMPLE: usize = 8;

/// What makes a limit the same one after a reload.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Identity {
    pub(crate) scope: Arc<str>,
    pub(crate) by: By,
    pub(crate) bucket: Bucket,
}

/// The tables of all limits. A limit that a reload leaves as it is finds its table again.
#[derive(Debug, Clone, Default)]
pub(crate) struct Buckets(Arc<Mutex<HashMap<Identity, Weak<Table>>>>);

impl Buckets {
    /// The table of a limit.
    pub(crate) fn table(&self, limit: &Identity) -> Arc<Table> {
        let mut tables = locked(&self.0);
        if let Some(table) = tables.get(limit).and_then(Weak::upgrade) {
            return table;
        }
        tables.retain(|_, table| table.strong_count() > 0);
        let table = Arc::new(Table::new(limit.bucket, limit.by.has_keys()));
        tables.insert(limit.clone(), Arc::downgrade(&table));
        table
    }
}

/// The buckets of one limit.
#[derive(Debug)]
pub(crate) struct Table {
    bucket: Bucket,
    origin: Instant,
    kept: Kept,
}

#[derive(Debug)]
enum Kept {
    One(AtomicU64),
    /// Keys are known by their hash, of 128 bits and a seed of this table, so that a long one takes no more room.
    Keyed {
        seeds: [foldhash::quality::RandomState; 2],
        shards: Box<[Mutex<Shard>]>,
    },
}

#[derive(Debug, Default)]
struct Shard {
    /// When the bucket of each key is full.
    full: hashbrown::HashMap<u128, u64, foldhash::fast::RandomState>,
    sweep_at: usize,
    /// When this part was last rid of idle keys.
    swept: u64,
}

impl Table {
    fn new(bucket: Bucket, keyed: bool) -> Self {
        let kept = if keyed {
            let shards = (0..SHARDS).map(|_| Mutex::new(Shard { sweep_at: FEW, ..Shard::default() })).collect();
            Kept::Keyed { seeds: [(), ()].map(|()| foldhash::quality::RandomState::default()), shards }
        } else {
            Kept::One(AtomicU64::new(0))
        };
        Self { bucket, origin: Instant::now(), kept }
    }

    /// Takes one of the key's bucket.
    pub(crate) fn take(&self, key: &impl Hash, now: Instant) -> Drawn {
        let now = self.nanoseconds(now);
        match &self.kept {
            Kept::One(full) => {
                let mut before = full.load(Ordering::Relaxed);
                loop {
                    let (drawn, after) = self.bucket.take(before, now);
                    match full.compare_exchange_weak(before, after, Ordering::Relaxed, Ordering::Relaxed) {
                        Ok(_) => return drawn,
                        Err(changed) => before = changed,
                    }
                }
            }
            Kept::Keyed { seeds, shards } => {
                let (key, Some(shard)) = place(seeds, shards, key) else { return self.bucket.take(0, now).0 };
                let mut shard = locked(shard);
                let before = shard.full.get(&key).copied();
                let (drawn, after) = self.bucket.take(before.unwrap_or(0), now);
                if before.is_none() {
                    shard.make_room(now);
                }
                shard.full.insert(key, after);
                drawn
            }
        }
    }

    /// Puts one back that was taken in vain.
    pub(crate) fn put_back(&self, key: &impl Hash) {
        match &self.kept {
            Kept::One(full) => {
                full.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |full| Some(self.bucket.put_back(full))).ok();
            }
            Kept::Keyed { seeds, shards } => {
                let (key, Some(shard)) = place(seeds, shards, key) else { return };
                if let Some(full) = locked(shard).full.get_mut(&key) {
                    *full = self.bucket.put_back(*full);
                }
            }
        }
    }

    fn nanoseconds(&self, now: Instant) -> u64 {
        u64::try_from(now.saturating_duration_since(self.origin).as_nanos()).unwrap_or(u64::MAX)
    }

    #[cfg(test)]
    fn keys(&self) -> usize {
        let Kept::Keyed { shards, .. } = &self.kept else { return 1 };
        shards.iter().map(|shard| locked(shard).full.len()).sum()
    }
}

fn place<'s>(
    seeds: &[foldhash::quality::RandomState; 2],
    shards: &'s [Mutex<Shard>],
    key: &impl Hash,
) -> (u128, Option<&'s Mutex<Shard>>) {
    let [high, low] = seeds.each_ref().map(|seed| seed.hash_one(key));
    #[allow(clippy::cast_possible_truncation, reason = "any bits do")]
    let shard = high as usize % SHARDS;
    (u128::from(high) << 64 | u128::from(low), shards.get(shard))
}

impl Shard {
    /// Makes room for one more key. One whose bucket is full needs none; with too many others the one goes that will be
    /// full soonest of a few, which gives it the least.
    fn make_room(&mut self, now: u64) {
        /// Between two looks at all keys of a part that is full of busy ones.
        const PAUSE: u64 = 1_000_000_000;
        let over = self.full.len() >= MOST;
        if self.full.len() >= self.sweep_at && (!over || now.saturating_sub(self.swept) >= PAUSE) {
            self.full.retain(|_, full| *full > now);
            self.full.shrink_to(FEW);
            self.sweep_at = (self.full.len() * 2).clamp(FEW, MOST);
            self.swept = now;
        }
        if self.full.len() >= MOST {
            let first = self.full.iter().take(SAMPLE).min_by_key(|(_, full)| **full).map(|(key, _)| *key);
            first.map(|key| self.full.remove(&key));
        }
    }
}

/// A panic while it was held leaves numbers that are as good as any.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn limit(by: By) -> Identity {
        Identity { scope: "route a".into(), by, bucket: Bucket::new(Duration::from_secs(1), 2) }
    }

    #[test]
    fn each_key_has_a_bucket_of_its_own() {
        let table = Buckets::default().table(&limit(By::Client));
        let now = Instant::now();
        let allowed = |key: &str| table.take(&key, now).allowed;
        assert_eq!([allowed("a"), allowed("a"), allowed("a"), allowed("b")], [true, true, false, true]);
        table.put_back(&"a");
        assert_eq!([allowed("a"), allowed("a")], [true, false]);
    }

    #[test]
    fn without_keys_there_is_one_bucket() {
        let table = Buckets::default().table(&limit(By::All));
        let now = Instant::now();
        assert_eq!(["a", "b", "c"].map(|key| table.take(&key, now).allowed), [true, true, false]);
        table.put_back(&"d");
        assert!(table.take(&"e", now).allowed);
        assert!(table.take(&"e", now + Duration::from_secs(1)).allowed);
    }

    #[test]
    fn a_limit_finds_its_buckets_again_while_somebody_holds_them() {
        let (buckets, now) = (Buckets::default(), Instant::now());
        let before = buckets.table(&limit(By::Client));
        before.take(&"a", now);
        before.take(&"a", now);
        let after = buckets.table(&limit(By::Client));
        drop(before);
        assert!(!after.take(&"a", now).allowed);
        assert!(buckets.table(&limit(By::Principal)).take(&"a", now).allowed, "another limit");
        drop(after);
        assert!(buckets.table(&limit(By::Client)).take(&"a", now).allowed);
    }

    #[test]
    fn idle_keys_go() {
        let table = Table::new(Bucket::new(Duration::from_millis(1), 1), true);
        let start = Instant::now();
        for key in 0..100_000_u32 {
            table.take(&key, start + Duration::from_millis(u64::from(key)));
        }
        assert!(table.keys() <= SHARDS * (FEW + 1), "{}", table.keys());
    }

    #[test]
    fn busy_keys_are_bounded_too() {
        let table = Table::new(Bucket::new(Duration::from_secs(3600), 1), true);
        let now = Instant::now();
        for key in 0..200_000_u32 {
            table.take(&key, now);
        }
        assert!(table.keys() <= SHARDS * MOST && table.keys() > SHARDS * MOST / 2, "{}", table.keys());
    }

    #[test]
    fn threads_take_no_more_than_there_is() {
        for by in [By::All, By::Client] {
            let bucket = Bucket::new(Duration::from_secs(3600), 1000);
            let table = Buckets::default().table(&Identity { bucket, ..limit(by) });
            let now = Instant::now();
            let taken: usize = std::thread::scope(|scope| {
                let take = || (0..500).filter(|_| table.take(&"a", now).allowed).count();
                let threads: Vec<_> = (0..4).map(|_| scope.spawn(take)).collect();
                threads.into_iter().map(|thread| thread.join().unwrap()).sum()
            });
            assert_eq!(taken, 1000);
        }
    }
}
