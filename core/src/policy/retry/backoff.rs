//! How long it takes until a call is tried again.

use std::time::Duration;

/// A pause that grows with each failure, up to a limit; all of it is drawn, so that callers who failed together don't
/// come back together ("full jitter").
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Backoff {
    pub(super) initial: Duration,
    pub(super) max: Duration,
    /// By how much a pause is longer than the one before.
    pub(super) multiplier: f64,
}

impl Backoff {
    /// The longest pause after so many failures.
    pub(super) fn longest(self, failures: u32) -> Duration {
        let grown =
            i32::try_from(failures.saturating_sub(1)).map_or(f64::INFINITY, |steps| self.multiplier.powi(steps));
        let seconds = self.initial.as_secs_f64() * grown;
        Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX).min(self.max)
    }

    /// A pause after so many failures.
    pub(super) fn pause(self, failures: u32) -> Duration {
        self.longest(failures).mul_f64(fastrand::f64())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn pauses_grow_up_to_the_limit() {
        let backoff = Backoff { initial: Duration::from_millis(25), max: Duration::from_secs(1), multiplier: 2.0 };
        for (failures, longest) in [(1, 25), (2, 50), (3, 100), (6, 800), (7, 1000), (u32::MAX, 1000)] {
            assert_eq!(backoff.longest(failures), Duration::from_millis(longest), "{failures}");
        }
    }

    proptest! {
        #[test]
        fn a_pause_is_within_its_bounds_and_the_bounds_never_shrink(
            initial in 0_u64..10_000, max in 0_u64..100_000, multiplier in 1.0_f64..10.0, failures in any::<u32>(),
        ) {
            let [initial, max] = [initial, max].map(Duration::from_millis);
            let backoff = Backoff { initial, max, multiplier };
            prop_assert!(backoff.pause(failures) <= backoff.longest(failures));
            prop_assert!(backoff.longest(failures) <= max);
            prop_assert!(backoff.longest(failures) <= backoff.longest(failures.saturating_add(1)));
        }
    }
}
