//! How much of a request's time its upstream took.
//!
//! The call lies deep in the stack of a route and its time is wanted outside. What lies between them is polled on one
//! thread, so the time is handed over in that thread's memory: nothing is allocated, and no layer has to pass it on.

use std::{
    cell::Cell,
    future::Future,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use pin_project_lite::pin_project;

thread_local! {
    static SPENT: Cell<Duration> = const { Cell::new(Duration::ZERO) };
}

/// The upstream took so much of the time of the request that is being worked on.
pub(crate) fn spend(time: Duration) {
    SPENT.set(SPENT.get().saturating_add(time));
}

/// The work on a request, with the time that its calls took.
pub(crate) fn spending<F: Future>(work: F) -> Spending<F> {
    Spending { work, spent: Duration::ZERO }
}

pin_project! {
    pub(crate) struct Spending<F> {
        #[pin]
        work: F,
        spent: Duration,
    }
}

impl<F: Future> Future for Spending<F> {
    type Output = (F::Output, Duration);

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let outer = SPENT.replace(*this.spent);
        let polled = this.work.poll(cx);
        *this.spent = SPENT.replace(outer);
        polled.map(|output| (output, *this.spent))
    }
}

#[cfg(test)]
mod tests {
    use futures_util::future::join;

    use super::*;

    #[tokio::test]
    async fn requests_that_take_turns_spend_their_own_time() {
        let work = async |millis| {
            spend(Duration::from_millis(millis));
            tokio::task::yield_now().await;
            spend(Duration::from_millis(millis));
        };
        let ((_, one), (_, other)) = join(spending(work(1)), spending(work(10))).await;
        assert_eq!((one, other), (Duration::from_millis(2), Duration::from_millis(20)));
    }
}
