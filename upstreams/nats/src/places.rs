//! The calls that wait, each in a place of its own, and what becomes of each.

use std::task::{Context, Poll, Waker};

use async_nats::{Message, Subject};
use tokio::time::Instant;

/// Which place: its number, and which call has it, as a place is used again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Key(u64);

/// What became of a call.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// The server has the message.
    Taken,
    /// The connection was lost: nobody knows.
    Unknown,
    /// The server refuses the subject.
    Denied,
    /// There is no time left.
    Late,
    /// What was waited for has come.
    Reply(Box<Message>),
}

/// What a call waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Awaits {
    /// That a mark is back which was sent after its message.
    Mark,
    Reply,
}

/// On what terms a call waits.
#[derive(Debug)]
pub(crate) struct Terms {
    pub(crate) awaits: Awaits,
    /// The subject whose refusal ends the wait.
    pub(crate) subject: Option<Subject>,
    /// When it ends in any case.
    pub(crate) deadline: Option<Instant>,
}

#[derive(Debug)]
struct Call {
    terms: Terms,
    outcome: Option<Outcome>,
    waker: Option<Waker>,
}

#[derive(Debug)]
struct Place {
    /// Tells its call from those that had the place before.
    serial: u32,
    call: Option<Call>,
}

/// All places of a connection.
#[derive(Debug, Default)]
pub(crate) struct Places {
    all: Vec<Place>,
    free: Vec<u32>,
}

impl Key {
    fn new(index: u32, serial: u32) -> Self {
        Self(u64::from(serial) << 32 | u64::from(index))
    }

    /// As a number that the key can be told by.
    pub(crate) fn number(self) -> u64 {
        self.0
    }

    pub(crate) fn of_number(number: u64) -> Self {
        Self(number)
    }

    #[allow(clippy::cast_possible_truncation, reason = "the halves of the number are taken apart")]
    fn index(self) -> usize {
        self.0 as u32 as usize
    }

    fn serial(self) -> u32 {
        (self.0 >> 32) as u32
    }
}

impl Places {
    /// Gives a call its place.
    pub(crate) fn enter(&mut self, terms: Terms) -> Key {
        let call = Some(Call { terms, outcome: None, waker: None });
        if let Some(index) = self.free.pop()
            && let Some(place) = self.all.get_mut(index as usize)
        {
            place.serial = place.serial.wrapping_add(1);
            place.call = call;
            return Key::new(index, place.serial);
        }
        let index = u32::try_from(self.all.len()).unwrap_or(u32::MAX);
        self.all.push(Place { serial: 0, call });
        Key::new(index, 0)
    }

    /// Takes the place back.
    pub(crate) fn leave(&mut self, key: Key) {
        if let Some(place) = self.place(key)
            && place.call.take().is_some()
        {
            self.free.push(key.index() as u32);
        }
    }

    /// Whether the call waits for its outcome.
    pub(crate) fn waits(&self, key: Key) -> bool {
        let place = self.all.get(key.index()).filter(|place| place.serial == key.serial());
        place.and_then(|place| place.call.as_ref()).is_some_and(|call| call.outcome.is_none())
    }

    /// The outcome, with which the call leaves.
    pub(crate) fn poll(&mut self, key: Key, cx: &Context<'_>) -> Poll<Outcome> {
        let Some(call) = self.call(key) else { return Poll::Ready(Outcome::Unknown) };
        if let Some(outcome) = call.outcome.take() {
            self.leave(key);
            return Poll::Ready(outcome);
        }
        match &mut call.waker {
            Some(waker) => waker.clone_from(cx.waker()),
            none => *none = Some(cx.waker().clone()),
        }
        Poll::Pending
    }

    /// Says what became of a call, unless that is known. Who is to be woken is added to `wakers`.
    pub(crate) fn tell(&mut self, key: Key, outcome: Outcome, wakers: &mut Vec<Waker>) {
        if let Some(call) = self.call(key) {
            call.tell(outcome, wakers);
        }
    }

    /// The server refuses a subject. That counts even for a call that was told that the server has its message.
    pub(crate) fn deny(&mut self, subject: &str, wakers: &mut Vec<Waker>) {
        for call in self.calls() {
            if call.terms.subject.as_ref().is_some_and(|of| of.as_str() == subject) {
                if matches!(call.outcome, Some(Outcome::Taken)) {
                    call.outcome = None;
                }
                call.tell(Outcome::Denied, wakers);
            }
        }
    }

    /// Ends what has no time left; the next deadline, if there is one.
    pub(crate) fn expire(&mut self, now: Instant, wakers: &mut Vec<Waker>) -> Option<Instant> {
        let mut next: Option<Instant> = None;
        for call in self.calls().filter(|call| call.outcome.is_none()) {
            match call.terms.deadline {
                Some(deadline) if deadline <= now => call.tell(Outcome::Late, wakers),
                Some(deadline) => next = Some(next.map_or(deadline, |next| next.min(deadline))),
                None => {}
            }
        }
        next
    }

    /// No reply to what was asked so far will come.
    pub(crate) fn lose_replies(&mut self, wakers: &mut Vec<Waker>) {
        let asking = self.calls().filter(|call| call.terms.awaits == Awaits::Reply);
        asking.for_each(|call| call.tell(Outcome::Unknown, wakers));
    }

    /// Nobody waits for anything any more.
    pub(crate) fn end(&mut self, wakers: &mut Vec<Waker>) {
        self.calls().for_each(|call| call.tell(Outcome::Unknown, wakers));
    }

    fn calls(&mut self) -> impl Iterator<Item = &mut Call> {
        self.all.iter_mut().filter_map(|place| place.call.as_mut())
    }

    fn place(&mut self, key: Key) -> Option<&mut Place> {
        self.all.get_mut(key.index()).filter(|place| place.serial == key.serial())
    }

    fn call(&mut self, key: Key) -> Option<&mut Call> {
        self.place(key)?.call.as_mut()
    }
}

impl Call {
    fn tell(&mut self, outcome: Outcome, wakers: &mut Vec<Waker>) {
        if self.outcome.is_none() {
            self.outcome = Some(outcome);
            wakers.extend(self.waker.take());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn terms(awaits: Awaits, subject: &str, deadline: Option<Instant>) -> Terms {
        Terms { awaits, subject: Some(subject.into()), deadline }
    }

    fn mark() -> Terms {
        terms(Awaits::Mark, "a", None)
    }

    /// What a call has been told.
    fn told(places: &mut Places, key: Key) -> Option<Outcome> {
        match places.poll(key, &Context::from_waker(Waker::noop())) {
            Poll::Ready(outcome) => Some(outcome),
            Poll::Pending => None,
        }
    }

    #[test]
    fn a_call_is_told_once_and_woken_once() {
        let (mut places, mut wakers) = (Places::default(), Vec::new());
        let key = places.enter(mark());
        assert!(places.waits(key) && told(&mut places, key).is_none());
        places.tell(key, Outcome::Taken, &mut wakers);
        places.tell(key, Outcome::Unknown, &mut wakers);
        assert!(wakers.len() == 1 && !places.waits(key));
        assert!(matches!(told(&mut places, key), Some(Outcome::Taken)));
    }

    #[test]
    fn who_gets_a_place_again_is_told_nothing_that_was_another_calls() {
        let (mut places, mut wakers) = (Places::default(), Vec::new());
        let first = places.enter(mark());
        places.leave(first);
        places.leave(first);
        let [second, third] = [(); 2].map(|()| places.enter(mark()));
        assert!(first != second && second != third && Key::of_number(second.number()) == second);
        places.tell(first, Outcome::Taken, &mut wakers);
        places.leave(first);
        assert!(places.waits(second) && places.waits(third) && !places.waits(first));
        assert!(matches!(told(&mut places, first), Some(Outcome::Unknown)));
    }

    #[test]
    fn a_refusal_counts_for_its_subject_and_more_than_a_mark() {
        let (mut places, mut wakers) = (Places::default(), Vec::new());
        let [taken, waiting] = [(); 2].map(|()| places.enter(mark()));
        let other = places.enter(terms(Awaits::Mark, "a.b", None));
        places.tell(taken, Outcome::Taken, &mut wakers);
        places.deny("a", &mut wakers);
        for key in [taken, waiting] {
            assert!(matches!(told(&mut places, key), Some(Outcome::Denied)));
        }
        assert!(places.waits(other));
    }

    #[test]
    fn calls_end_with_their_time_and_replies_with_the_connection() {
        let (mut places, mut wakers, now) = (Places::default(), Vec::new(), Instant::now());
        let later = now + Duration::from_secs(1);
        let soon = places.enter(terms(Awaits::Reply, "a", Some(now)));
        let [asking, marked] =
            [Awaits::Reply, Awaits::Mark].map(|awaits| places.enter(terms(awaits, "a", Some(later))));
        assert_eq!(places.expire(now, &mut wakers), Some(later));
        assert!(matches!(told(&mut places, soon), Some(Outcome::Late)));
        places.lose_replies(&mut wakers);
        assert!(matches!(told(&mut places, asking), Some(Outcome::Unknown)) && places.waits(marked));
        places.end(&mut wakers);
        assert_eq!(places.expire(now, &mut wakers), None);
        assert!(matches!(told(&mut places, marked), Some(Outcome::Unknown)));
    }
}
