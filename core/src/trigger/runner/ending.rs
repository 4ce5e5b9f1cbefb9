//! The end of a trigger: what it has is given back, and where its source keeps nothing, brought to an end.

use std::sync::{Arc, atomic::Ordering};

use futures_util::future::join_all;

use super::{
    super::{call::Try, held::InHand, outcome::Failed, pace::Pace, settle, tally::count, told::Told},
    Runner,
};

impl Runner {
    /// Works on what a source that keeps nothing has already taken in, as nobody else can have it.
    pub(super) async fn finish(self: &Arc<Self>, pace: &mut Pace) {
        loop {
            let Ok(slot) = Arc::clone(&self.slots).acquire_owned().await else { return };
            let Ok(place) = Arc::clone(&self.places).acquire_owned().await else { return };
            tokio::select! {
                biased;
                () = self.cut.cancelled() => {}
                () = pace.turn() => {}
            }
            // What has come goes first: after the cut it is let go, but not forgotten.
            let rest = tokio::select! {
                biased;
                rest = self.intake.rest() => rest,
                () = self.cut.cancelled() => None,
            };
            let Some(delivery) = rest else { return };
            let in_hand = self.received(delivery, place);
            pace.began();
            let this = Arc::clone(self);
            self.spawn(async move { this.work(in_hand, slot).await });
        }
    }

    /// Lets go of all that waits.
    pub(super) async fn let_go_of_held(&self) {
        let let_go = join_all(self.held.take().into_iter().map(|in_hand| self.let_go(in_hand))).await;
        let lost = let_go.into_iter().filter(|kept| !kept).count();
        self.cut_off.fetch_add(lost, Ordering::Relaxed);
    }

    /// Gives a message back, or to the dead letter where its source keeps nothing. `false` when it is lost.
    pub(super) async fn let_go(&self, in_hand: InHand) -> bool {
        if in_hand.receipt.is_void() {
            return true;
        }
        if self.keeps {
            count(&self.counters.returned);
            self.give_back(in_hand.receipt).await;
            return true;
        }
        let InHand { message, receipt, failed, .. } = in_hand;
        let id = Try::new(&message).id;
        let failed = failed.unwrap_or_else(|| Box::new(Failed::ended(id)));
        let told = Told { trigger: &self.name, message: &message, failed: &failed, id };
        let course = self.course.load_full();
        let refused = match &course.dead_letter {
            Some(dead_letter) => self.bury(dead_letter, &told).await.err(),
            None => None,
        };
        let kept = course.dead_letter.is_some() && refused.is_none();
        if !kept {
            count(&self.counters.dropped);
            told.lost(refused.as_deref());
        }
        if message.wants_reply {
            settle::reply(&self.name, &*receipt, &failed.reply).await;
        }
        settle::told(&self.name, "ack", receipt.ack()).await;
        kept
    }
}
