//! Timers that are used again. Nearly every request has one, and hardly one of them rings: to set one that is there to a
//! later time is one atomic operation, where making and removing one takes the lock of the runtime's timers twice.

use std::{
    cell::RefCell,
    pin::Pin,
    task::{Context, Poll},
    time::Instant,
};

use tokio::{
    runtime::{Handle, Id},
    time::{Sleep, sleep_until},
};

/// How many timers a thread keeps. They ring once more at their last time, unheard.
const KEPT: usize = 128;

thread_local! {
    static RESTING: RefCell<Vec<Set>> = const { RefCell::new(Vec::new()) };
}

/// A timer, and the runtime that it is of.
struct Set {
    sleep: Pin<Box<Sleep>>,
    runtime: Id,
}

/// A timer, in use for one call.
pub(super) struct Alarm(Option<Set>);

impl Alarm {
    /// Rings at this time.
    pub(super) fn at(time: Instant) -> Self {
        let runtime = Handle::current().id();
        // A thread that is ending, or one that runs a second runtime, has none to give.
        let resting = RESTING.try_with(|resting| resting.borrow_mut().pop()).ok().flatten();
        let set = match resting.filter(|resting| resting.runtime == runtime) {
            Some(mut set) => {
                set.sleep.as_mut().reset(time.into());
                set
            }
            None => Set { sleep: Box::pin(sleep_until(time.into())), runtime },
        };
        Self(Some(set))
    }

    /// Ready when it rings.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match &mut self.0 {
            Some(set) => set.sleep.as_mut().poll(cx),
            None => Poll::Pending,
        }
    }
}

impl Drop for Alarm {
    fn drop(&mut self) {
        let Some(set) = self.0.take() else { return };
        if set.sleep.is_elapsed() {
            return;
        }
        let keep = |resting: &RefCell<Vec<Set>>| {
            let mut resting = resting.borrow_mut();
            if resting.len() < KEPT {
                resting.push(set);
            }
        };
        // A thread that is ending keeps nothing.
        RESTING.try_with(keep).ok();
    }
}

#[cfg(test)]
mod tests {
    use std::{future::poll_fn, time::Duration};

    use tokio::time::{Instant, timeout};

    use super::*;

    async fn rings_after(period: Duration) -> bool {
        let begun = Instant::now();
        let mut alarm = Alarm::at((begun + period).into());
        poll_fn(|cx| alarm.poll(cx)).await;
        begun.elapsed() == period
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_is_used_again_rings_at_its_own_time() {
        let second = Duration::from_secs(1);
        let mut first = Alarm::at((Instant::now() + 5 * second).into());
        let waits = timeout(second, poll_fn(|cx| first.poll(cx))).await;
        assert!(waits.is_err());
        drop(first);
        assert_eq!(RESTING.with_borrow(Vec::len), 1);
        // Sooner, and later, than it was to ring.
        assert!(rings_after(second).await);
        drop(Alarm::at((Instant::now() + second).into()));
        assert!(rings_after(9 * second).await);
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_rang_is_not_kept() {
        assert!(rings_after(Duration::from_secs(1)).await);
        assert_eq!(RESTING.with_borrow(Vec::len), 0);
    }

    #[test]
    fn one_of_a_runtime_that_is_gone_is_not_used() {
        let run = || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
            let runtime = runtime.unwrap();
            runtime.block_on(async {
                assert!(rings_after(Duration::from_secs(1)).await);
                drop(Alarm::at((Instant::now() + Duration::from_secs(60)).into()));
            });
        };
        run();
        assert_eq!(RESTING.with_borrow(Vec::len), 1);
        run();
        assert_eq!(RESTING.with_borrow(Vec::len), 1);
    }
}
