//! What is under way on one channel.

use std::{
    collections::BTreeMap,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker},
    time::Duration,
};

use futures_util::{StreamExt, future::ready, stream::FuturesUnordered};
use lapin::{Channel, Confirmation, message::BasicReturnMessage};
use tokio::{
    sync::oneshot,
    time::{Instant, Sleep, sleep},
};

use super::{Outcome, Taken, Wish, replies::Replies};
use crate::{
    error::AmqpError,
    outgoing::{Outgoing, target},
    refusal::{Cause, Refusal},
    session::Limits,
};

/// How long a confirm may be overlooked while another message's is waited for.
const OVERLOOKED: Duration = Duration::from_millis(1);

type Work = Pin<Box<dyn Future<Output = Event> + Send>>;

/// A channel with its messages.
pub(super) struct Traffic {
    channel: Arc<Channel>,
    limits: Arc<Limits>,
    /// Messages that are not decided yet, by number.
    pending: BTreeMap<u64, Pending>,
    numbers: u64,
    work: FuturesUnordered<Work>,
    /// What was handed over and wakes nobody. The client library tells of each message when it is written and when it is
    /// confirmed, each a wake-up from its thread; once another one is confirmed, this one was written long ago.
    quiet: Vec<Work>,
    look: Pin<Box<Sleep>>,
    /// Settled since the mark was set, and before that.
    settled: Vec<u64>,
    deciding: Vec<u64>,
    marked: bool,
    open: bool,
    ending: bool,
    /// Why the channel is closed.
    failure: Option<lapin::Error>,
    replies: Replies,
}

#[derive(Debug)]
struct Pending {
    message: Arc<Outgoing>,
    /// Nobody, for a request: it is answered by a reply.
    to: Option<oneshot::Sender<Outcome>>,
    settled: Option<Settled>,
    /// What the broker said when it returned the message.
    returned: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Settled {
    Confirmed,
    Nacked,
}

/// What a confirm brings, with a returned message that may be another's.
type Confirmed = (Settled, Option<Box<BasicReturnMessage>>);

enum Event {
    Settled(u64, lapin::Result<Confirmed>),
    /// Everything that was settled before the mark was set has been seen.
    Mark,
    /// The same, and nothing more can come as the channel is closed.
    End,
}

impl Traffic {
    pub(super) fn new(channel: Channel, limits: Arc<Limits>) -> Self {
        Self {
            channel: Arc::new(channel),
            limits,
            pending: BTreeMap::new(),
            numbers: 0,
            work: FuturesUnordered::new(),
            quiet: Vec::new(),
            look: Box::pin(sleep(OVERLOOKED)),
            settled: Vec::new(),
            deciding: Vec::new(),
            marked: false,
            open: true,
            ending: false,
            failure: None,
            replies: Replies::default(),
        }
    }

    /// How many messages are under way.
    pub(super) fn len(&self) -> usize {
        self.pending.len()
    }

    /// Whether messages can be published.
    pub(super) fn is_open(&self) -> bool {
        self.open
    }

    /// Whether the channel was closed and everything was answered.
    pub(super) fn is_over(&self) -> bool {
        !self.open && self.pending.is_empty() && self.work.is_empty() && self.quiet.is_empty()
    }

    /// Hands a message over to the connection. A channel that is closed gives it back.
    pub(super) async fn publish(&mut self, wish: Wish) -> Option<Wish> {
        // Nobody waits for it any more, so nothing is to be opened for it again.
        if wish.to.is_closed() {
            return None;
        }
        if wish.reply
            && let Err(error) = self.replies.listen(&self.channel).await
        {
            if self.numbers == 0 {
                // A new channel would do no better.
                wish.refuse(AmqpError::Channel(error.clone()));
                self.close(Some(error));
                return None;
            }
            self.close(Some(error));
            return Some(wish);
        }
        if !self.channel.status().connected() {
            // The messages under way are about to tell why.
            self.open = false;
            if self.pending.is_empty() {
                self.close(None);
            }
            return Some(wish);
        }
        let Wish { message, reply, to } = wish;
        if to.is_closed() || !message.hand_over() {
            return None;
        }
        let to = if reply {
            self.replies.expect(message.correlation_id(), target(&message), to);
            None
        } else {
            Some(to)
        };
        self.numbers += 1;
        let number = self.numbers;
        let (channel, published) = (Arc::clone(&self.channel), Arc::clone(&message));
        self.pending.insert(number, Pending { message, to, settled: None, returned: None });
        self.begin(Box::pin(async move { Event::Settled(number, published.publish(&channel).await.map(read)) }));
        None
    }

    fn begin(&mut self, mut work: Work) {
        match work.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(event) => self.see(event),
            // Something has to wake the task.
            Poll::Pending if self.work.is_empty() => self.work.push(work),
            Poll::Pending => {
                if self.quiet.is_empty() {
                    self.look.as_mut().reset(Instant::now() + OVERLOOKED);
                }
                self.quiet.push(work);
            }
        }
    }

    /// From now on all that is under way wakes the task.
    fn listen(&mut self) {
        self.work.extend(self.quiet.drain(..));
    }

    /// Waits for something to come of the messages.
    pub(super) async fn advance(&mut self) {
        tokio::select! {
            Some(event) = self.work.next(), if !self.work.is_empty() => self.see(event),
            reply = self.replies.next() => match reply {
                Ok(delivery) => self.replies.deliver(delivery),
                Err(error) => self.close(error),
            },
            () = &mut self.look, if !self.quiet.is_empty() => self.listen(),
        }
    }

    fn see(&mut self, event: Event) {
        match event {
            Event::Settled(number, Ok((settled, returned))) => self.settle(number, settled, returned.as_deref()),
            Event::Settled(_, Err(error)) => self.close(Some(error)),
            Event::Mark => {
                self.marked = false;
                for number in std::mem::take(&mut self.deciding) {
                    self.decide(number);
                }
                if !self.settled.is_empty() {
                    self.mark();
                }
            }
            Event::End => {
                let deciding = std::mem::take(&mut self.deciding).into_iter();
                for number in deciding.chain(std::mem::take(&mut self.settled)) {
                    self.decide(number);
                }
                self.fail();
            }
        }
    }

    /// The client library gives a returned message to whichever message is confirmed next, and sees confirms of several
    /// at once in any order. So a confirm says nothing yet of the message itself: its return may be with another one.
    /// That other one was settled before, and all that may be settled stands in line before a mark that is put at its end, so
    /// that the mark comes back after it.
    fn settle(&mut self, number: u64, settled: Settled, returned: Option<&BasicReturnMessage>) {
        if let Some(returned) = returned {
            self.find(number, returned);
        }
        if let Some(pending) = self.pending.get_mut(&number) {
            pending.settled = Some(settled);
            self.settled.push(number);
            self.mark();
        }
    }

    /// Finds the message that was returned, first of all the one that was confirmed with it. One that no message looks
    /// like belongs to that one too: better an error for a message that was taken than none for one that was not.
    fn find(&mut self, number: u64, returned: &BasicReturnMessage) {
        let is_it = |pending: &Pending| pending.returned.is_none() && pending.message.is(returned);
        let told = format!("{} ({})", returned.reply_text, returned.reply_code);
        let own = self.pending.get(&number).is_some_and(is_it);
        let other = if own { None } else { self.pending.iter().find(|(_, pending)| is_it(pending)) };
        let found = other.map_or(number, |(found, _)| *found);
        if let Some(pending) = self.pending.get_mut(&found) {
            pending.returned = Some(told);
        }
    }

    fn mark(&mut self) {
        if !self.marked {
            self.marked = true;
            self.deciding = std::mem::take(&mut self.settled);
            self.listen();
            self.work.push(Box::pin(ready(Event::Mark)));
        }
    }

    /// All is known of a message.
    fn decide(&mut self, number: u64) {
        let Some(Pending { message, to, settled, returned }) = self.pending.remove(&number) else { return };
        message.standing.taken(self.limits.session, message.payload.len());
        let outcome = match (returned, settled) {
            (Some(told), _) => Err(AmqpError::Returned { target: target(&message), told }),
            (None, Some(Settled::Nacked)) => Err(AmqpError::Nacked { target: target(&message) }),
            (None, _) => Ok(Taken::Confirmed),
        };
        match (to, outcome) {
            // A call that went away needs no answer.
            (Some(to), outcome) => drop(to.send(outcome)),
            (None, Err(error)) => self.replies.answer(message.correlation_id(), Err(error)),
            (None, Ok(_)) => {}
        }
    }

    /// The channel is closed. What was settled before is still to be seen.
    fn close(&mut self, why: Option<lapin::Error>) {
        self.open = false;
        self.failure = self.failure.take().or(why);
        if !self.ending {
            self.ending = true;
            self.listen();
            self.work.push(Box::pin(ready(Event::End)));
        }
    }

    /// Answers all that is left, as nothing more can come.
    fn fail(&mut self) {
        let why = self.failure.take();
        let refusal = why.as_ref().and_then(Refusal::of);
        let fits = |pending: &Pending| refusal.as_ref().is_some_and(|refusal| refusal.fits(&pending.message));
        let suspects = self.pending.values().filter(|pending| fits(pending)).count();
        let why = why.map(|why| why.to_string());
        for (_, pending) in std::mem::take(&mut self.pending) {
            let message = &pending.message;
            let mut error = AmqpError::Unknown { target: target(message), why: why.clone() };
            if let Some(refusal) = refusal.as_ref().filter(|_| fits(&pending)) {
                message.standing.refused(self.limits.session, refusal.cause == Cause::Key);
                // Of several that it may have been, each may also have been taken before.
                if suspects == 1 {
                    if let Cause::TooLarge { most: Some(most) } = refusal.cause {
                        self.limits.learn(most);
                    }
                    error = AmqpError::Rejected { target: target(message), refusal: refusal.clone() };
                }
            }
            match pending.to {
                Some(to) => drop(to.send(Err(error))),
                None => self.replies.answer(message.correlation_id(), Err(error)),
            }
        }
        self.replies.lose();
        self.work.clear();
        self.quiet.clear();
    }
}

fn read(confirmation: Confirmation) -> Confirmed {
    match confirmation {
        Confirmation::Ack(returned) => (Settled::Confirmed, returned.map(Box::new)),
        Confirmation::Nack(returned) => (Settled::Nacked, returned.map(Box::new)),
        Confirmation::NotRequested => (Settled::Confirmed, None),
    }
}
