//! Messages that the gateway keeps until they are tried again.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use tokio::{
    sync::{Notify, OwnedSemaphorePermit},
    time::{Instant, sleep_until},
};

use super::{Message, erased::AnyReceipt, outcome::Failed};

/// A message that was taken from its source and is not settled yet.
pub(super) struct InHand {
    pub(super) message: Message,
    pub(super) receipt: Box<dyn AnyReceipt>,
    /// Why its last try failed.
    pub(super) failed: Option<Box<Failed>>,
    /// Whether its source gets it back, and counts, once it has waited.
    pub(super) goes_back: bool,
    /// One of the places that bound how many messages are in hand.
    pub(super) _place: OwnedSemaphorePermit,
}

/// The messages that wait, by the time at which they are due. As many as there are places.
#[derive(Default)]
pub(super) struct Held {
    waiting: Mutex<BTreeMap<(Instant, u64), InHand>>,
    changed: Notify,
}

impl Held {
    /// Keeps a message until then.
    pub(super) fn keep(&self, due: Instant, in_hand: InHand) {
        let mut waiting = self.lock();
        // Only to tell apart what is due at the same moment.
        let number = waiting.last_key_value().map_or(0, |((_, number), _)| number.wrapping_add(1));
        let mut key = (due, number);
        while waiting.contains_key(&key) {
            key.1 = key.1.wrapping_add(1);
        }
        waiting.insert(key, in_hand);
        drop(waiting);
        self.changed.notify_one();
    }

    /// Waits for the next message that is due. It may be dropped at any await.
    pub(super) async fn due(&self) -> InHand {
        loop {
            let changed = self.changed.notified();
            let next = {
                let mut waiting = self.lock();
                match waiting.first_entry() {
                    Some(entry) if entry.key().0 <= Instant::now() => return entry.remove(),
                    Some(entry) => Some(entry.key().0),
                    None => None,
                }
            };
            match next {
                Some(due) => {
                    tokio::select! {
                        () = sleep_until(due) => {}
                        () = changed => {}
                    }
                }
                None => changed.await,
            }
        }
    }

    /// Lets go of what the source delivers again by itself: a copy of it comes, and here is its place.
    pub(super) fn drop_void(&self) {
        self.lock().retain(|_, in_hand| !in_hand.receipt.is_void());
    }

    /// Takes everything out.
    pub(super) fn take(&self) -> Vec<InHand> {
        std::mem::take(&mut *self.lock()).into_values().collect()
    }

    pub(super) fn len(&self) -> usize {
        self.lock().len()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<(Instant, u64), InHand>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
