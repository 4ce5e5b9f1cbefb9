//! What the calls of a connection share with the task that reads what comes in.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    task::Waker,
};

use async_nats::{Message, Subject};
use futures_util::future::poll_fn;
use tokio::{sync::Notify, time::Instant};

use crate::{
    error::NatsError,
    marks::{Marked, Marks},
    places::{Awaits, Key, Outcome, Places, Terms},
};

/// Where calls wait. Each enters its place by itself, and is woken once: nothing is handed from task to task.
#[derive(Debug, Default)]
pub(crate) struct Desk {
    shared: Mutex<Shared>,
    /// The task has something to do before anything comes in.
    wanted: Notify,
}

#[derive(Debug, Default)]
struct Shared {
    places: Places,
    marks: Marks<Key>,
    /// When the first call may have no time left.
    look: Option<Instant>,
    /// The task is gone.
    closed: bool,
}

/// A call's place, which it leaves in any case.
#[derive(Debug)]
pub(crate) struct Place<'d> {
    desk: &'d Desk,
    key: Key,
    left: bool,
}

/// What came in.
#[derive(Debug)]
pub(crate) enum Came {
    /// A mark, by its number.
    Mark(u64),
    Reply(Key, Message),
}

/// What the task has to do.
#[derive(Debug)]
pub(crate) struct Duty {
    /// The mark to send.
    pub(crate) mark: Option<u64>,
    /// When there is more to do, whatever comes in.
    pub(crate) next: Option<Instant>,
}

impl Desk {
    /// Gives a call its place. To be called before its message is sent.
    pub(crate) fn enter(
        &self,
        awaits: Awaits,
        subject: Option<Subject>,
        deadline: Option<Instant>,
    ) -> Result<Place<'_>, NatsError> {
        let mut shared = self.lock();
        if shared.closed {
            return Err(NatsError::Closed);
        }
        let sooner = deadline.is_some_and(|deadline| shared.look.is_none_or(|look| deadline < look));
        if sooner {
            shared.look = deadline;
        }
        let key = shared.places.enter(Terms { awaits, subject, deadline });
        drop(shared);
        if sooner {
            self.wanted.notify_one();
        }
        Ok(Place { desk: self, key, left: false })
    }

    /// Ends when the task has something to do.
    pub(crate) async fn wanted(&self) {
        self.wanted.notified().await;
    }

    /// Takes in what came, up to the first `None`. `connects` is how often the connection has been made by now.
    pub(crate) fn take_in(&self, connects: u64, mut next: impl FnMut() -> Option<Came>) {
        self.change(|Shared { places, marks, .. }, wakers| {
            while let Some(came) = next() {
                match came {
                    Came::Mark(number) => {
                        marks.back(number, connects, |key, marked| places.tell(key, marked.into(), wakers));
                    }
                    // A call that went away needs no reply.
                    Came::Reply(key, message) => places.tell(key, Outcome::Reply(Box::new(message)), wakers),
                }
            }
        });
    }

    /// What is to be done now. Where nothing is `connected`, no mark comes back.
    pub(crate) fn duty(&self, now: Instant, connected: bool) -> Duty {
        self.change(|Shared { places, marks, look, .. }, wakers| {
            // The loss may have been heard before a call came that was too late to know of it.
            if !connected {
                marks.clear(|key, marked| places.tell(key, marked.into(), wakers));
            }
            if look.is_some_and(|look| look <= now) {
                *look = places.expire(now, wakers);
            }
            let mark = marks.send(now, |key| places.waits(*key));
            let next = [*look, marks.due()].into_iter().flatten().min();
            Duty { mark, next }
        })
    }

    /// A connection that is lost takes along what was asked in it; nobody knows how far it came.
    pub(crate) fn lose(&self) {
        self.change(|Shared { places, marks, .. }, wakers| {
            marks.lose(|key, marked| places.tell(key, marked.into(), wakers));
            places.lose_replies(wakers);
        });
    }

    /// Something that came in was dropped.
    pub(crate) fn suspect(&self) {
        self.lock().marks.suspect(Instant::now());
        self.wanted.notify_one();
    }

    /// The server refuses a subject.
    pub(crate) fn deny(&self, subject: &str) {
        self.change(|shared, wakers| shared.places.deny(subject, wakers));
    }

    /// Nothing that is waited for will come.
    pub(crate) fn end(&self) {
        self.change(|shared, wakers| shared.end(wakers));
    }

    /// The same for ever.
    pub(crate) fn close(&self) {
        self.change(|shared, wakers| {
            shared.closed = true;
            shared.end(wakers);
        });
    }

    /// Those who are to be woken are when the lock is free.
    fn change<T>(&self, change: impl FnOnce(&mut Shared, &mut Vec<Waker>) -> T) -> T {
        let mut wakers = Vec::new();
        let changed = change(&mut self.lock(), &mut wakers);
        wakers.into_iter().for_each(Waker::wake);
        changed
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shared {
    fn end(&mut self, wakers: &mut Vec<Waker>) {
        self.marks.clear(|_, _| {});
        self.places.end(wakers);
    }
}

impl From<Marked> for Outcome {
    fn from(marked: Marked) -> Self {
        match marked {
            Marked::Taken => Self::Taken,
            Marked::Unknown => Self::Unknown,
        }
    }
}

impl Place<'_> {
    /// What the call is known by.
    pub(crate) fn key(&self) -> Key {
        self.key
    }

    /// The message was handed to the connection; `connects` is how often that had been made then.
    pub(crate) fn published(&self, connects: u64) {
        let needed = self.desk.lock().marks.wait(connects, self.key);
        if needed {
            self.desk.wanted.notify_one();
        }
    }

    /// Waits for what becomes of the call.
    pub(crate) async fn outcome(mut self) -> Outcome {
        let outcome = poll_fn(|cx| self.desk.lock().places.poll(self.key, cx)).await;
        self.left = true;
        outcome
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        if !self.left {
            self.desk.lock().places.leave(self.key);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures_util::FutureExt;

    use super::*;

    fn enter(desk: &Desk, awaits: Awaits) -> Place<'_> {
        desk.enter(awaits, None, None).unwrap()
    }

    fn come(desk: &Desk, came: Came) {
        let mut came = Some(came);
        desk.take_in(1, || came.take());
    }

    #[test]
    fn a_mark_is_sent_for_what_was_published_and_answers_it() {
        let (desk, now) = (Desk::default(), Instant::now());
        let (sending, sent) = (enter(&desk, Awaits::Mark), enter(&desk, Awaits::Mark));
        assert_eq!(desk.duty(now, true).mark, None, "nothing was published yet");
        sent.published(1);
        assert!(desk.wanted().now_or_never().is_some());
        let duty = desk.duty(now, true);
        assert!(duty.mark == Some(1) && duty.next.is_some());
        sending.published(1);
        come(&desk, Came::Mark(1));
        assert!(matches!(sent.outcome().now_or_never(), Some(Outcome::Taken)));
        assert!(sending.outcome().now_or_never().is_none());
        assert_eq!(desk.duty(now, true).mark, Some(2));
    }

    #[test]
    fn a_loss_ends_what_is_under_way_and_being_disconnected_all_marks() {
        let (desk, now) = (Desk::default(), Instant::now());
        let [first, second] = [(); 2].map(|()| enter(&desk, Awaits::Mark));
        let asking = enter(&desk, Awaits::Reply);
        first.published(1);
        desk.duty(now, true);
        second.published(1);
        desk.lose();
        assert!(matches!(first.outcome().now_or_never(), Some(Outcome::Unknown)));
        assert!(matches!(asking.outcome().now_or_never(), Some(Outcome::Unknown)));
        assert_eq!(desk.duty(now, false).mark, None);
        assert!(matches!(second.outcome().now_or_never(), Some(Outcome::Unknown)));
    }

    #[test]
    fn the_task_is_told_of_an_earlier_deadline_and_ends_what_has_no_time_left() {
        let (desk, now) = (Desk::default(), Instant::now());
        let [soon, later] = [1, 2].map(|seconds| now + Duration::from_secs(seconds));
        let _later = desk.enter(Awaits::Reply, None, Some(later)).unwrap();
        assert!(desk.wanted().now_or_never().is_some());
        let late = desk.enter(Awaits::Reply, None, Some(soon)).unwrap();
        assert!(desk.wanted().now_or_never().is_some());
        let _same = desk.enter(Awaits::Reply, None, Some(later)).unwrap();
        assert!(desk.wanted().now_or_never().is_none(), "it looks soon enough");
        assert_eq!(desk.duty(now, true).next, Some(soon));
        assert_eq!(desk.duty(soon, true).next, Some(later));
        assert!(matches!(late.outcome().now_or_never(), Some(Outcome::Late)));
    }

    #[test]
    fn a_desk_that_is_closed_takes_nobody_in() {
        let desk = Desk::default();
        let waiting = enter(&desk, Awaits::Reply);
        desk.close();
        assert!(matches!(waiting.outcome().now_or_never(), Some(Outcome::Unknown)));
        assert!(matches!(desk.enter(Awaits::Mark, None, None), Err(NatsError::Closed)));
    }
}
