//! The generic cell rate algorithm: a token bucket in one number, the time at which the bucket is full again.

use std::time::Duration;

use crate::remote::Drawn;

/// A bucket that holds `burst`, and gets one back in each interval. Times are nanoseconds of one clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Bucket {
    interval: u64,
    burst: u32,
}

impl Bucket {
    /// A bucket; an interval below a nanosecond counts as one.
    pub(crate) fn new(interval: Duration, burst: u32) -> Self {
        Self { interval: u64::try_from(interval.as_nanos()).unwrap_or(u64::MAX).max(1), burst }
    }

    pub(crate) const fn interval(self) -> Duration {
        Duration::from_nanos(self.interval)
    }

    pub(crate) const fn burst(self) -> u32 {
        self.burst
    }

    /// How long an empty bucket takes to be full.
    pub(crate) fn whole(self) -> Duration {
        Duration::from_nanos(self.depth())
    }

    fn depth(self) -> u64 {
        self.interval.saturating_mul(u64::from(self.burst))
    }

    /// Takes one from a bucket that is `full` at that time. Gives what came of it, and when the bucket is full then; a
    /// refusal changes nothing.
    pub(crate) fn take(self, full: u64, now: u64) -> (Drawn, u64) {
        let latest = now.saturating_add(self.depth());
        let next = full.max(now).saturating_add(self.interval);
        let drawn = |allowed, remaining, reset, wait| Drawn {
            allowed,
            remaining,
            reset: Duration::from_nanos(reset),
            retry_after: Duration::from_nanos(wait),
        };
        if next > latest {
            return (drawn(false, 0, full.saturating_sub(now), next - latest), full);
        }
        let remaining = u32::try_from((latest - next) / self.interval).unwrap_or(u32::MAX);
        (drawn(true, remaining, next - now, 0), next)
    }

    /// When a bucket is full after one was put back.
    pub(crate) const fn put_back(self, full: u64) -> u64 {
        full.saturating_sub(self.interval)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_burst_is_there_at_once_and_then_the_rate_holds() {
        let bucket = Bucket::new(Duration::from_millis(100), 3);
        let (mut full, now) = (0, 5_000_000_000);
        for remaining in [2, 1, 0] {
            let (drawn, next) = bucket.take(full, now);
            assert_eq!((drawn.allowed, drawn.remaining), (true, remaining));
            full = next;
        }
        let (drawn, next) = bucket.take(full, now);
        assert!(!drawn.allowed && next == full);
        assert_eq!((drawn.retry_after, drawn.reset), (Duration::from_millis(100), Duration::from_millis(300)));
        assert!(bucket.take(full, now + 100_000_000).0.allowed, "one came back");
        assert!(!bucket.take(full, now + 99_999_999).0.allowed);
    }

    proptest! {
        /// In any window no more pass than the burst and what came back in it.
        #[test]
        fn no_window_lets_more_pass(
            interval in 1_u64..1_000,
            burst in 1_u32..50,
            pauses in prop::collection::vec(0_u64..3_000, 1..200),
        ) {
            let bucket = Bucket { interval, burst };
            let (mut full, mut now, mut passed) = (0, 1_000_000, Vec::new());
            for pause in pauses {
                now += pause;
                let (drawn, next) = bucket.take(full, now);
                full = next;
                if drawn.allowed {
                    passed.push(now);
                }
            }
            for (first, start) in passed.iter().enumerate() {
                for (last, end) in passed.iter().enumerate().skip(first) {
                    let most = u64::from(burst) + (end - start) / interval;
                    prop_assert!(((last - first) as u64) < most);
                }
            }
        }

        /// What is told is true: so many more pass at once, one passes after the wait and none before it.
        #[test]
        fn what_is_told_is_true(
            interval in 1_u64..10_000,
            burst in 1_u32..50,
            used in 0_u32..60,
            later in 0_u64..20_000,
        ) {
            let bucket = Bucket { interval, burst };
            let (mut full, mut now) = (0, 1_000_000);
            for _ in 0..used {
                full = bucket.take(full, now).1;
            }
            now += later;
            let (drawn, mut next) = bucket.take(full, now);
            if drawn.allowed {
                for _ in 0..drawn.remaining {
                    let (more, after) = bucket.take(next, now);
                    prop_assert!(more.allowed);
                    next = after;
                }
                prop_assert!(!bucket.take(next, now).0.allowed);
            } else {
                let wait = u64::try_from(drawn.retry_after.as_nanos()).unwrap();
                prop_assert!(wait > 0 && wait <= interval);
                prop_assert!(bucket.take(next, now + wait).0.allowed);
                prop_assert!(!bucket.take(next, now + wait - 1).0.allowed);
            }
        }

        #[test]
        fn one_that_is_put_back_can_be_taken_again(interval in 1_u64..10_000, burst in 1_u32..50, used in 0_u32..60) {
            let bucket = Bucket { interval, burst };
            let (mut full, now) = (0, 1_000_000);
            for _ in 0..used {
                full = bucket.take(full, now).1;
            }
            let (drawn, next) = bucket.take(full, now);
            prop_assert!(!drawn.allowed || bucket.put_back(next) == full.max(now));
        }
    }
}
