//! What is known of one endpoint: whether calls to it go well, and whether it says that it is well.

use std::{
    sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed},
    time::Duration,
};

use callgate_core::{EndpointHealth, Period};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

const DEFAULT_FAILURES: u32 = 5;
const DEFAULT_INITIAL: Period = Period::from_secs(2);
const DEFAULT_MAX: Period = Period::from_secs(60);

/// When an endpoint to which calls fail is left out for a while, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Ejection {
    /// So many failures one after the other: an answer of 502, 503 or 504, none in time, or a connection that breaks before
    /// one. An endpoint that takes no connection is left out at once. 0: only that.
    pub failures: u32,
    /// How long it is left out the first time. Each time that it is left out again without an answer in between it is twice as
    /// long.
    pub initial: Period,
    /// The longest time.
    pub max: Period,
}

impl Default for Ejection {
    fn default() -> Self {
        Self { failures: DEFAULT_FAILURES, initial: DEFAULT_INITIAL, max: DEFAULT_MAX }
    }
}

/// An endpoint's standing. The time is the caller's, in milliseconds.
#[derive(Debug, Default)]
pub(crate) struct Standing {
    /// Until when it is left out; 0 when it is not.
    out_until: AtomicU64,
    /// Failures one after the other.
    failures: AtomicU32,
    /// How often it was left out without a good answer in between.
    times_out: AtomicU32,
    /// It was asked, and is not well.
    unhealthy: AtomicBool,
}

impl Standing {
    /// Whether it is left out for a while.
    pub(crate) fn is_out(&self, now: u64) -> bool {
        match self.out_until.load(Relaxed) {
            0 => false,
            until => now < until,
        }
    }

    /// Whether it must not be called at all.
    pub(crate) fn is_unhealthy(&self) -> bool {
        self.unhealthy.load(Relaxed)
    }

    /// Whether it gets its share.
    pub(crate) fn is_in(&self, now: u64) -> bool {
        !self.is_unhealthy() && !self.is_out(now)
    }

    pub(crate) fn set_unhealthy(&self, unhealthy: bool) {
        self.unhealthy.store(unhealthy, Relaxed);
    }

    /// It answered well.
    pub(crate) fn recover(&self) {
        if self.failures.load(Relaxed) | self.times_out.load(Relaxed) != 0 {
            self.failures.store(0, Relaxed);
            self.times_out.store(0, Relaxed);
            self.out_until.store(0, Relaxed);
        }
    }

    /// It failed. Whether that were too many failures.
    pub(crate) fn fail(&self, ejection: &Ejection) -> bool {
        let failures = self.failures.fetch_add(1, Relaxed).saturating_add(1);
        ejection.failures > 0 && failures >= ejection.failures
    }

    /// Leaves it out, and says for how long; `None` where it is left out already.
    pub(crate) fn leave_out(&self, ejection: &Ejection, now: u64) -> Option<Duration> {
        let until = self.out_until.load(Relaxed);
        if now < until {
            return None;
        }
        let doublings = self.times_out.load(Relaxed).min(31);
        let time = Duration::from(ejection.initial).saturating_mul(1 << doublings).min(ejection.max.into());
        let milliseconds = u64::try_from(time.as_millis()).unwrap_or(u64::MAX).max(1);
        // Of those who fail at the same time one counts.
        let next = now.saturating_add(milliseconds);
        self.out_until.compare_exchange(until, next, Relaxed, Relaxed).ok()?;
        self.times_out.fetch_add(1, Relaxed);
        self.failures.store(0, Relaxed);
        Some(time)
    }

    pub(crate) fn health(&self, now: u64) -> EndpointHealth {
        if self.is_unhealthy() {
            return EndpointHealth::Unhealthy;
        }
        match self.out_until.load(Relaxed).saturating_sub(now) {
            0 => EndpointHealth::Healthy,
            left => EndpointHealth::Ejected { left: Duration::from_millis(left) },
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn it_is_left_out_for_longer_each_time_until_it_answers() {
        let (standing, ejection) = (Standing::default(), Ejection::default());
        let mut now = 5;
        for seconds in [2, 4, 8, 16, 32, 60, 60] {
            assert_eq!(standing.leave_out(&ejection, now), Some(Duration::from_secs(seconds)));
            assert_eq!(standing.leave_out(&ejection, now), None, "others that fail at the same time change nothing");
            assert!(standing.is_out(now) && standing.is_out(now + seconds * 1000 - 1));
            now += seconds * 1000;
            assert!(standing.is_in(now));
        }
        standing.recover();
        assert_eq!(standing.leave_out(&ejection, now), Some(Duration::from_secs(2)));
    }

    #[test]
    fn only_failures_in_a_row_are_too_many() {
        let (standing, ejection) = (Standing::default(), Ejection { failures: 3, ..Ejection::default() });
        assert!(!standing.fail(&ejection) && !standing.fail(&ejection));
        standing.recover();
        assert!(!standing.fail(&ejection) && !standing.fail(&ejection) && standing.fail(&ejection));
        let never = Ejection { failures: 0, ..ejection };
        assert!((0..100).all(|_| !standing.fail(&never)));
    }

    proptest! {
        #[test]
        fn no_time_out_exceeds_the_longest(times in prop::collection::vec(0_u64..100_000, 1..100), max in 1_u64..100) {
            let ejection = Ejection { max: Period::from_secs(max), ..Ejection::default() };
            let (standing, mut now) = (Standing::default(), 1);
            for time in times {
                now += time;
                if let Some(out) = standing.leave_out(&ejection, now) {
                    prop_assert!(out <= Duration::from_secs(max));
                }
                prop_assert!(!standing.is_out(now + max * 1000));
            }
        }
    }
}
