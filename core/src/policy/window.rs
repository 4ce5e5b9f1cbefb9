//! Counts over a window of time, without a lock.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

/// Of how many parts a window is: what is older than the window goes one part after the other.
const PARTS: usize = 10;

/// How often something happened in the last so many milliseconds, and how often it was of one sort.
///
/// The time is the caller's. Counts of a moment at which the parts change may go to either.
#[derive(Debug, Default)]
pub(super) struct Window {
    parts: [Part; PARTS],
    /// The length of a part in milliseconds; 0 counts as 1.
    length: u64,
}

/// Each is the number of the part in the upper half, and the count in the lower.
#[derive(Debug, Default)]
struct Part {
    all: AtomicU64,
    some: AtomicU64,
}

impl Window {
    pub(super) fn new(length: Duration) -> Self {
        let length = u64::try_from(length.as_millis()).unwrap_or(u64::MAX) / PARTS as u64;
        Self { parts: Default::default(), length }
    }

    pub(super) fn count(&self, now: u64) {
        let number = self.number(now);
        add(&self.part(number).all, number);
    }

    pub(super) fn count_some(&self, now: u64) {
        let number = self.number(now);
        add(&self.part(number).some, number);
    }

    /// How often in all, and how often of the sort.
    pub(super) fn sums(&self, now: u64) -> (u64, u64) {
        let number = self.number(now);
        let within = |count: &AtomicU64| {
            let count = count.load(Ordering::Relaxed);
            let (of, count) = (count >> 32, count & u64::from(u32::MAX));
            // A part that another thread has begun already counts too.
            if of + PARTS as u64 > number { count } else { 0 }
        };
        let parts = self.parts.iter();
        parts.fold((0, 0), |(all, some), part| (all + within(&part.all), some + within(&part.some)))
    }

    pub(super) fn clear(&self) {
        for part in &self.parts {
            part.all.store(0, Ordering::Relaxed);
            part.some.store(0, Ordering::Relaxed);
        }
    }

    /// The number of a time's part, from 1: 0 is a part that was never used.
    fn number(&self, now: u64) -> u64 {
        (now / self.length.max(1) + 1).min(u64::from(u32::MAX))
    }

    fn part(&self, number: u64) -> &Part {
        &self.parts[usize::try_from(number).unwrap_or(0) % PARTS]
    }
}

fn add(count: &AtomicU64, number: u64) {
    let mut seen = count.load(Ordering::Relaxed);
    loop {
        let next = if seen >> 32 >= number { seen + 1 } else { number << 32 | 1 };
        match count.compare_exchange_weak(seen, next, Ordering::Relaxed, Ordering::Relaxed) {
            Ok(_) => return,
            Err(other) => seen = other,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_older_than_the_window_is_forgotten() {
        let window = Window::new(Duration::from_secs(10));
        window.count(0);
        window.count_some(0);
        window.count(5_000);
        assert_eq!(window.sums(9_999), (2, 1));
        assert_eq!(window.sums(10_000), (1, 0));
        assert_eq!(window.sums(100_000), (0, 0));
        window.count(100_000);
        assert_eq!(window.sums(100_000), (1, 0));
        window.clear();
        assert_eq!(window.sums(100_000), (0, 0));
    }

    proptest! {
        #[test]
        fn it_counts_the_parts_that_the_window_has(steps in prop::collection::vec((0_u64..3_000, any::<bool>()), 1..200)) {
            let (window, mut now, mut seen) = (Window::new(Duration::from_secs(10)), 0, Vec::new());
            for (step, some) in steps {
                now += step;
                if some { window.count_some(now) } else { window.count(now) }
                seen.push((now / 1000, some));
                let within = |sort: bool| seen.iter().filter(|(part, some)| *some == sort && part + 10 > now / 1000).count() as u64;
                prop_assert_eq!(window.sums(now), (within(false), within(true)));
            }
        }
    }
}
