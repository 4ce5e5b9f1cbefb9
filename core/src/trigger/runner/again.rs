//! Messages that failed, until they are tried again.

use std::{sync::atomic::Ordering, time::Duration};

use tokio::time::Instant;
use tracing::debug;

use super::{
    super::{Redelivery, held::InHand, outcome::Failed, settle, tally::count},
    Next, Runner,
};

/// How a message that failed is tried again.
pub(super) struct Again {
    pub(super) pause: Duration,
    pub(super) failed: Box<Failed>,
    /// Whether a source that counts is to count this. Many give a message up by a count of their own, and it may not
    /// grow while nothing but the dead letter, or a success, can end a message.
    pub(super) counts: bool,
}

impl Runner {
    /// Leaves a message to whoever keeps it until it is tried again.
    pub(super) async fn again(&self, mut in_hand: InHand, again: Again) {
        count(&self.counters.retried);
        let Again { pause, failed, counts } = again;
        // A source that keeps the message needs no reason to have it back.
        in_hand.failed = (!self.keeps).then_some(failed);
        if in_hand.receipt.is_void() {
            debug!(trigger = &*self.name, "The source delivers a message again by itself; it does not wait here.");
            return;
        }
        match in_hand.receipt.redelivery() {
            Redelivery::Delayed => settle::told(&self.name, "retry", in_hand.receipt.retry(pause)).await,
            Redelivery::Counted | Redelivery::Uncounted if self.stop.is_cancelled() => {
                if !self.let_go(in_hand).await {
                    self.cut_off.fetch_add(1, Ordering::Relaxed);
                }
            }
            redelivery @ (Redelivery::Counted | Redelivery::Uncounted) => {
                in_hand.goes_back = counts && redelivery == Redelivery::Counted;
                self.held.keep(Instant::now() + pause, in_hand);
            }
        }
    }
}

/// What is done with a message that has waited; nothing where its source delivers it again by itself.
pub(super) fn next(mut in_hand: InHand) -> Option<Next> {
    if in_hand.receipt.is_void() {
        return None;
    }
    if in_hand.goes_back {
        return Some(Next::Return(in_hand));
    }
    in_hand.message.attempt = in_hand.message.attempt.saturating_add(1);
    Some(Next::Work(in_hand))
}
