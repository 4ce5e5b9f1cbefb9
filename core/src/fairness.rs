//! How much a task may move before others on its worker have their turn.
//!
//! tokio ends a task's turn after a number of reads and writes, however large they are. Where both ends of a stream are fast, or
//! have room in their buffers, that can be tens of megabytes, and everybody else on the worker waits for it.

use std::task::{Context, Poll};

use tokio::task::coop::{has_budget_remaining, poll_proceed};

/// The bytes that count as one read or write: of them a task moves about a megabyte in a turn.
const STEP: usize = 8 << 10;

/// Counts bytes that were read or written on the turn of the task that is polled. To be called after each read and write.
pub fn moved(cx: &mut Context<'_>, bytes: usize) {
    // The read or write itself has counted once.
    for _ in 1..bytes.div_ceil(STEP) {
        if !has_budget_remaining() {
            return;
        }
        if let Poll::Ready(counted) = poll_proceed(cx) {
            counted.made_progress();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use super::*;

    #[tokio::test]
    async fn a_turn_ends_after_about_a_megabyte() {
        let steps = poll_fn(|cx| {
            let mut steps = 0_usize;
            while has_budget_remaining() && steps < 1000 {
                moved(cx, 64 << 10);
                steps += 1;
            }
            Poll::Ready(steps)
        })
        .await;
        assert!((10..=20).contains(&steps), "{steps} times 64 KiB");
    }

    #[tokio::test]
    async fn small_pieces_count_for_themselves_alone() {
        poll_fn(|cx| {
            (0..100_000).for_each(|_| moved(cx, STEP));
            assert!(has_budget_remaining());
            Poll::Ready(())
        })
        .await;
    }
}
