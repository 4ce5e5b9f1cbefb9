//! The order of marks: which messages wait for which mark.
//!
//! A mark can be lost although the connection is not: the client library drops what nobody reads in time. So when one is
//! not back after a while, another follows; each proves everything that was published before it.

use std::{collections::VecDeque, time::Duration};

use tokio::{sync::oneshot, time::Instant};

use crate::mailbox::Marked;

/// How long a mark may be under way before another follows.
const AGE: Duration = Duration::from_secs(1);
/// The same once something is known to have been dropped: time to read what has come.
const SUSPECT: Duration = Duration::from_millis(100);

/// A message that waits to be proven.
#[derive(Debug)]
struct Waiting {
    /// How often the connection had been made when it was published.
    connects: u64,
    to: oneshot::Sender<Marked>,
}

/// What waits for marks.
#[derive(Debug, Default)]
pub(crate) struct Marks {
    /// The latest mark.
    number: u64,
    /// What no mark follows yet.
    next: Vec<Waiting>,
    /// What each mark would prove, the oldest first.
    under_way: VecDeque<(u64, Vec<Waiting>)>,
    /// When another mark has to follow.
    due: Option<Instant>,
}

impl Marks {
    /// Takes a message in that was just published.
    pub(crate) fn wait(&mut self, connects: u64, to: oneshot::Sender<Marked>) {
        self.next.push(Waiting { connects, to });
    }

    /// When another mark has to follow.
    pub(crate) fn due(&self) -> Option<Instant> {
        self.due
    }

    /// The mark to send now, if one is needed.
    pub(crate) fn send(&mut self, now: Instant) -> Option<u64> {
        let overdue = self.due.is_some_and(|due| due <= now);
        if overdue {
            // Calls that went away need no mark.
            self.under_way.iter_mut().for_each(|(_, batch)| batch.retain(|waiting| !waiting.to.is_closed()));
            self.under_way.retain(|(_, batch)| !batch.is_empty());
        }
        let first = self.under_way.is_empty();
        if first {
            self.due = None;
        }
        let needed = if first { !self.next.is_empty() } else { overdue };
        if !needed {
            return None;
        }
        self.number += 1;
        self.due = Some(now + AGE);
        if !self.next.is_empty() {
            self.under_way.push_back((self.number, std::mem::take(&mut self.next)));
        }
        Some(self.number)
    }

    /// A mark is back: answers all that it proves. `connects` is how often the connection has been made by now.
    pub(crate) fn back(&mut self, number: u64, connects: u64) {
        while let Some((_, batch)) = self.under_way.pop_front_if(|(mark, _)| *mark <= number) {
            for Waiting { connects: published, to } in batch {
                // A call that went away needs no answer.
                to.send(if published == connects { Marked::Taken } else { Marked::Unknown }).ok();
            }
        }
        if self.under_way.is_empty() {
            self.due = None;
        }
    }

    /// Something was dropped, which may have been a mark.
    pub(crate) fn suspect(&mut self, now: Instant) {
        self.due = self.due.map(|due| due.min(now + SUSPECT));
    }

    /// The connection was lost: nobody knows of what is under way.
    pub(crate) fn lose(&mut self) {
        self.under_way.clear();
        self.due = None;
    }

    /// No mark will ever be back.
    pub(crate) fn clear(&mut self) {
        self.lose();
        self.next.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wait(marks: &mut Marks, connects: u64) -> oneshot::Receiver<Marked> {
        let (to, marked) = oneshot::channel();
        marks.wait(connects, to);
        marked
    }

    #[test]
    fn one_mark_at_a_time_serves_all_that_was_published_meanwhile() {
        let (mut marks, now) = (Marks::default(), Instant::now());
        assert_eq!(marks.send(now), None);
        let mut first = wait(&mut marks, 1);
        assert_eq!(marks.send(now), Some(1));
        let (mut second, mut third) = (wait(&mut marks, 1), wait(&mut marks, 0));
        assert_eq!(marks.send(now), None);
        marks.back(1, 1);
        assert_eq!((first.try_recv(), second.try_recv().is_err()), (Ok(Marked::Taken), true));
        assert_eq!(marks.send(now), Some(2));
        marks.back(2, 1);
        assert_eq!((second.try_recv(), third.try_recv()), (Ok(Marked::Taken), Ok(Marked::Unknown)));
        assert_eq!((marks.due(), marks.send(now + AGE)), (None, None));
    }

    #[test]
    fn a_mark_that_was_dropped_is_followed_by_another_that_proves_all() {
        let (mut marks, now) = (Marks::default(), Instant::now());
        let mut first = wait(&mut marks, 1);
        assert_eq!(marks.send(now), Some(1));
        let mut second = wait(&mut marks, 1);
        let later = marks.due().unwrap();
        assert_eq!((marks.send(later), marks.due()), (Some(2), Some(later + AGE)));
        marks.back(2, 1);
        assert_eq!((first.try_recv(), second.try_recv()), (Ok(Marked::Taken), Ok(Marked::Taken)));
    }

    #[test]
    fn a_mark_that_is_slow_still_proves_what_it_followed() {
        let (mut marks, now) = (Marks::default(), Instant::now());
        let mut first = wait(&mut marks, 1);
        assert_eq!(marks.send(now), Some(1));
        let mut second = wait(&mut marks, 1);
        assert_eq!(marks.send(now + AGE), Some(2));
        marks.back(1, 1);
        assert_eq!((first.try_recv(), second.try_recv().is_err()), (Ok(Marked::Taken), true));
        marks.back(2, 1);
        assert_eq!(second.try_recv(), Ok(Marked::Taken));
    }

    #[test]
    fn what_was_dropped_is_found_out_soon_and_calls_that_went_away_are_not_waited_for() {
        let (mut marks, now) = (Marks::default(), Instant::now());
        let kept = wait(&mut marks, 1);
        assert_eq!(marks.send(now), Some(1));
        marks.suspect(now);
        assert_eq!(marks.due(), Some(now + SUSPECT));
        assert_eq!(marks.send(now + SUSPECT), Some(2));
        drop(kept);
        assert_eq!((marks.send(now + SUSPECT + AGE), marks.due()), (None, None));
    }

    #[test]
    fn nobody_knows_of_what_is_under_way_in_a_connection_that_is_lost() {
        let (mut marks, now) = (Marks::default(), Instant::now());
        let mut first = wait(&mut marks, 1);
        assert_eq!(marks.send(now), Some(1));
        let mut second = wait(&mut marks, 1);
        marks.lose();
        assert_eq!(first.try_recv(), Err(oneshot::error::TryRecvError::Closed));
        assert_eq!(second.try_recv(), Err(oneshot::error::TryRecvError::Empty));
        assert_eq!(marks.send(now), Some(2));
        marks.clear();
        assert_eq!(second.try_recv(), Err(oneshot::error::TryRecvError::Closed));
    }
}
