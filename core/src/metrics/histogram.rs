//! How long things took, in buckets whose bounds double.

use std::{
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
};

/// The bound of the first bucket: 15.625 µs, so that a millisecond and a second lie on bounds or near them.
const FIRST: u64 = 15_625;

/// Buckets with a bound; the last one is 32.768 s.
const BOUNDED: usize = 22;

/// What durations are counted in. Bounds that double need no search: the number of leading zeros is the bucket.
#[derive(Debug, Default)]
pub(super) struct Histogram {
    buckets: [AtomicU64; BOUNDED + 1],
    nanos: AtomicU64,
}

impl Histogram {
    pub(super) fn record(&self, took: Duration) {
        let nanos = took.as_secs().saturating_mul(1_000_000_000).saturating_add(u64::from(took.subsec_nanos()));
        self.buckets[bucket(nanos)].fetch_add(1, Relaxed);
        self.nanos.fetch_add(nanos, Relaxed);
    }
}

fn bucket(nanos: u64) -> usize {
    let doublings = u64::BITS - (nanos.saturating_sub(1) / FIRST).leading_zeros();
    (doublings as usize).min(BOUNDED)
}

/// The durations of all workers together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Durations {
    buckets: [u64; BOUNDED + 1],
    nanos: u64,
}

impl Durations {
    pub(super) fn add(&mut self, histogram: &Histogram) {
        for (sum, bucket) in self.buckets.iter_mut().zip(&histogram.buckets) {
            *sum += bucket.load(Relaxed);
        }
        self.nanos = self.nanos.wrapping_add(histogram.nanos.load(Relaxed));
    }

    /// The upper bounds of all buckets but the last one, in seconds.
    pub fn bounds() -> impl Iterator<Item = f64> {
        #[allow(clippy::cast_precision_loss, reason = "the largest is 32768000000")]
        (0..BOUNDED).map(|doublings| (FIRST << doublings) as f64 / 1e9)
    }

    /// How many durations lie in each bucket. The last one has no upper bound.
    pub fn buckets(&self) -> &[u64] {
        &self.buckets
    }

    /// How many durations there are.
    pub fn count(&self) -> u64 {
        self.buckets.iter().sum()
    }

    /// All durations together, in seconds.
    pub fn sum(&self) -> f64 {
        #[allow(clippy::cast_precision_loss, reason = "nanoseconds are more than is asked for")]
        let nanos = self.nanos as f64;
        nanos / 1e9
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_lies_in_the_first_bucket_whose_bound_it_does_not_exceed() {
        let bounds: Vec<_> = Durations::bounds().collect();
        assert_eq!((bounds.len(), bounds[6], bounds[BOUNDED - 1]), (22, 0.001, 32.768));
        for (index, bound) in bounds.iter().enumerate() {
            let at = Duration::from_secs_f64(*bound).as_nanos() as u64;
            assert_eq!((bucket(at), bucket(at + 1)), (index, index + 1), "{bound}");
        }
        assert_eq!((bucket(0), bucket(u64::MAX)), (0, BOUNDED));
    }

    #[test]
    fn histograms_add_up() {
        let (one, other) = (Histogram::default(), Histogram::default());
        one.record(Duration::from_millis(1));
        other.record(Duration::from_millis(2));
        other.record(Duration::from_secs(60));
        let mut all = Durations::default();
        all.add(&one);
        all.add(&other);
        assert_eq!((all.count(), all.sum()), (3, 60.003));
        assert_eq!((all.buckets()[6], all.buckets()[7], all.buckets()[BOUNDED]), (1, 1, 1));
    }
}
