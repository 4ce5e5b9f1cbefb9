//! How many retries an upstream is given: an upstream that is down must not get more requests than one that is up.

use std::time::Duration;

use crate::{document::Percent, policy::window::Window};

/// The time over which requests and retries are counted.
const WINDOW: Duration = Duration::from_secs(10);

/// So many retries a window may have however few requests there are.
pub(super) const FLOOR: u64 = 10;

/// Retries as a share of the requests of the last ten seconds.
///
/// Threads that ask at the same moment may each get the last one.
#[derive(Debug)]
pub(super) struct Budget {
    share: Percent,
    window: Window,
}

impl Budget {
    pub(super) fn new(share: Percent) -> Self {
        Self { share, window: Window::new(WINDOW) }
    }

    /// A request came.
    pub(super) fn request(&self, now: u64) {
        self.window.count(now);
    }

    /// Takes a retry, if there is one left.
    pub(super) fn take(&self, now: u64) -> bool {
        let (requests, retries) = self.window.sums(now);
        let left = retries < FLOOR + self.share.share_of(requests);
        if left {
            self.window.count_some(now);
        }
        left
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn few_requests_have_the_floor_and_many_their_share() {
        let budget = Budget::new(Percent::of(20));
        assert_eq!((0..100).filter(|_| budget.take(0)).count(), 10);
        (0..500).for_each(|_| budget.request(0));
        assert_eq!((0..1000).filter(|_| budget.take(0)).count(), 100);
        assert!(budget.take(10_000), "a new window has its floor");
    }

    proptest! {
        #[test]
        fn retries_never_exceed_the_share_of_the_window(
            share in 0_u8..=100,
            steps in prop::collection::vec((0_u64..500, any::<bool>()), 1..400),
        ) {
            let (budget, mut now) = (Budget::new(Percent::of(share)), 0);
            let (mut requests, mut retries) = (Vec::new(), Vec::new());
            for (step, request) in steps {
                now += step;
                let within = |times: &[u64]| times.iter().filter(|time| *time / 1000 + 10 > now / 1000).count() as u64;
                if request {
                    budget.request(now);
                    requests.push(now);
                } else if budget.take(now) {
                    retries.push(now);
                    prop_assert!(within(&retries) <= FLOOR + within(&requests) * u64::from(share) / 100);
                } else {
                    prop_assert!(within(&retries) >= FLOOR + within(&requests) * u64::from(share) / 100);
                }
            }
        }
    }
}
