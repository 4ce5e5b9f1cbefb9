//! The order of marks: which messages wait for which mark.
//!
//! A mark can be lost although the connection is not: the client library drops what nobody reads in time. So when one is
//! not back after a while, another follows; each proves everything that was published before it.

use std::{collections::VecDeque, time::Duration};

use tokio::time::Instant;

/// How long a mark may be under way before another follows.
const AGE: Duration = Duration::from_secs(1);
/// The same once something is known to have been dropped: time to read what has come.
const SUSPECT: Duration = Duration::from_millis(100);

/// What a mark proved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Marked {
    /// The server has the message.
    Taken,
    /// The connection was made anew in between: nobody knows.
    Unknown,
}

/// A message that waits to be proven.
#[derive(Debug)]
struct Waiting<T> {
    /// How often the connection had been made when it was published.
    connects: u64,
    call: T,
}

/// What waits for marks: calls, named as whoever keeps them likes.
#[derive(Debug)]
pub(crate) struct Marks<T> {
    /// The latest mark.
    number: u64,
    /// What no mark follows yet.
    next: Vec<Waiting<T>>,
    /// What each mark would prove, the oldest first.
    under_way: VecDeque<(u64, Vec<Waiting<T>>)>,
    /// A list to fill again.
    spare: Vec<Waiting<T>>,
    /// When another mark has to follow.
    due: Option<Instant>,
}

impl<T> Default for Marks<T> {
    fn default() -> Self {
        Self { number: 0, next: Vec::new(), under_way: VecDeque::new(), spare: Vec::new(), due: None }
    }
}

impl<T> Marks<T> {
    /// Takes a message in that was just published. Whether a mark has to be sent for it now.
    pub(crate) fn wait(&mut self, connects: u64, call: T) -> bool {
        self.next.push(Waiting { connects, call });
        self.under_way.is_empty()
    }

    /// When another mark has to follow.
    pub(crate) fn due(&self) -> Option<Instant> {
        self.due
    }

    /// The mark to send now, if one is needed. `waits` says whether a call has not gone away.
    pub(crate) fn send(&mut self, now: Instant, waits: impl Fn(&T) -> bool) -> Option<u64> {
        let overdue = self.due.is_some_and(|due| due <= now);
        if overdue {
            // Calls that went away need no mark.
            self.under_way.iter_mut().for_each(|(_, batch)| batch.retain(|waiting| waits(&waiting.call)));
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
            let batch = std::mem::replace(&mut self.next, std::mem::take(&mut self.spare));
            self.under_way.push_back((self.number, batch));
        }
        Some(self.number)
    }

    /// A mark is back: `tell` learns of all that it proves. `connects` is how often the connection has been made by now.
    pub(crate) fn back(&mut self, number: u64, connects: u64, mut tell: impl FnMut(T, Marked)) {
        while let Some((_, mut batch)) = self.under_way.pop_front_if(|(mark, _)| *mark <= number) {
            for Waiting { connects: published, call } in batch.drain(..) {
                tell(call, if published == connects { Marked::Taken } else { Marked::Unknown });
            }
            self.spare = batch;
        }
        if self.under_way.is_empty() {
            self.due = None;
        }
    }

    /// Something was dropped, which may have been a mark.
    pub(crate) fn suspect(&mut self, now: Instant) {
        self.due = self.due.map(|due| due.min(now + SUSPECT));
    }

    /// The connection was lost: nobody knows of what is under way, and `tell` learns it.
    pub(crate) fn lose(&mut self, mut tell: impl FnMut(T, Marked)) {
        for Waiting { call, .. } in self.under_way.drain(..).flat_map(|(_, batch)| batch) {
            tell(call, Marked::Unknown);
        }
        self.due = None;
    }

    /// No mark will ever be back.
    pub(crate) fn clear(&mut self, mut tell: impl FnMut(T, Marked)) {
        self.lose(&mut tell);
        self.next.drain(..).for_each(|Waiting { call, .. }| tell(call, Marked::Unknown));
    }
}

#[cfg(test)]
mod tests {
    use super::{
        Marked::{Taken, Unknown},
        *,
    };

    /// Marks for calls that have numbers, and what those were told.
    #[derive(Default)]
    struct Told {
        marks: Marks<u32>,
        told: Vec<(u32, Marked)>,
    }

    impl Told {
        fn send(&mut self, now: Instant) -> Option<u64> {
            self.marks.send(now, |_| true)
        }

        fn back(&mut self, number: u64, connects: u64) -> Vec<(u32, Marked)> {
            self.marks.back(number, connects, |call, marked| self.told.push((call, marked)));
            std::mem::take(&mut self.told)
        }
    }

    #[test]
    fn one_mark_at_a_time_serves_all_that_was_published_meanwhile() {
        let (mut told, now) = (Told::default(), Instant::now());
        assert_eq!(told.send(now), None);
        assert!(told.marks.wait(1, 1));
        assert_eq!(told.send(now), Some(1));
        assert!(!told.marks.wait(1, 2) && !told.marks.wait(0, 3));
        assert_eq!(told.send(now), None);
        assert_eq!(told.back(1, 1), [(1, Taken)]);
        assert_eq!(told.send(now), Some(2));
        assert_eq!(told.back(2, 1), [(2, Taken), (3, Unknown)]);
        assert_eq!((told.marks.due(), told.send(now + AGE)), (None, None));
    }

    #[test]
    fn a_mark_that_was_dropped_is_followed_by_another_that_proves_all() {
        let (mut told, now) = (Told::default(), Instant::now());
        told.marks.wait(1, 1);
        assert_eq!(told.send(now), Some(1));
        told.marks.wait(1, 2);
        let later = told.marks.due().unwrap();
        assert_eq!((told.send(later), told.marks.due()), (Some(2), Some(later + AGE)));
        assert_eq!(told.back(2, 1), [(1, Taken), (2, Taken)]);
    }

    #[test]
    fn a_mark_that_is_slow_still_proves_what_it_followed() {
        let (mut told, now) = (Told::default(), Instant::now());
        told.marks.wait(1, 1);
        assert_eq!(told.send(now), Some(1));
        told.marks.wait(1, 2);
        assert_eq!(told.send(now + AGE), Some(2));
        assert_eq!(told.back(1, 1), [(1, Taken)]);
        assert_eq!(told.back(2, 1), [(2, Taken)]);
    }

    #[test]
    fn what_was_dropped_is_found_out_soon_and_calls_that_went_away_are_not_waited_for() {
        let (mut told, now) = (Told::default(), Instant::now());
        told.marks.wait(1, 1);
        assert_eq!(told.send(now), Some(1));
        told.marks.suspect(now);
        assert_eq!(told.marks.due(), Some(now + SUSPECT));
        assert_eq!(told.send(now + SUSPECT), Some(2));
        let gone = now + SUSPECT + AGE;
        assert_eq!((told.marks.send(gone, |call| *call != 1), told.marks.due()), (None, None));
    }

    #[test]
    fn nobody_knows_of_what_is_under_way_in_a_connection_that_is_lost() {
        let (mut told, now) = (Told::default(), Instant::now());
        told.marks.wait(1, 1);
        assert_eq!(told.send(now), Some(1));
        told.marks.wait(1, 2);
        told.marks.lose(|call, marked| told.told.push((call, marked)));
        assert_eq!(told.told, [(1, Unknown)]);
        assert_eq!(told.send(now), Some(2));
        told.marks.clear(|call, marked| told.told.push((call, marked)));
        assert_eq!(told.told, [(1, Unknown), (2, Unknown)]);
    }
}
