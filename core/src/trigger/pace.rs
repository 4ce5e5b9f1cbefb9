//! `rate`: how many messages are begun per second, minute, hour or day.

use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use crate::document::Rate;

/// How much of what was missed may be caught up: timers are no finer than a millisecond.
const SLACK: Duration = Duration::from_millis(10);

/// Keeps a rate: lets one message after the other begin.
#[derive(Debug)]
pub(super) struct Pace {
    interval: Duration,
    next: Instant,
}

impl Pace {
    /// Without a rate nothing waits.
    pub(super) fn new(rate: Option<Rate>) -> Self {
        Self { interval: rate.map_or(Duration::ZERO, Rate::interval), next: Instant::now() }
    }

    /// Waits until the next message may begin.
    pub(super) async fn turn(&self) {
        if !self.interval.is_zero() {
            sleep_until(self.next).await;
        }
    }

    /// A message begins now.
    pub(super) fn began(&mut self) {
        let now = Instant::now();
        let earliest = now.checked_sub(SLACK).unwrap_or(now);
        self.next = self.next.max(earliest) + self.interval;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_rate_is_held_and_idle_time_is_not_saved_up() {
        let mut pace = Pace::new(Some("50/s".parse().unwrap()));
        tokio::time::sleep(Duration::from_secs(60)).await;
        let begun = Instant::now();
        for _ in 0..101 {
            pace.turn().await;
            pace.began();
        }
        let took = begun.elapsed();
        assert!(took >= Duration::from_millis(1970) && took <= Duration::from_millis(2020), "{took:?}");
    }
}
