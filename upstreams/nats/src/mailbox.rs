//! Where the gateway is answered: one subscription for all calls of a connection.
//!
//! Two things come in. Replies go to the call that waits for them. Marks are messages of the gateway to itself: a server
//! handles what one connection sends in order, so a mark that comes back proves that the server has everything that was
//! published before it. NATS has no other acknowledgement of a plain publish. One mark at a time serves all messages that
//! were published meanwhile, so that under load a mark costs a fraction of a message.

use std::{pin::pin, sync::Arc, time::Duration};

use async_nats::{Client, Message, Subject, Subscriber, connection::State};
use bytes::Bytes;
use callgate_core::Context;
use futures_util::{FutureExt, StreamExt};
use tokio::time::{Instant, sleep_until};

use crate::{
    desk::{Came, Desk, Duty, Place},
    error::NatsError,
    link::connects,
    marks::Marked,
    places::{Awaits, Key, Outcome},
};

/// How many messages are taken in at once, so that calls which enter meanwhile wait for few.
const BATCH: usize = 128;
/// When the task looks around while it waits for nothing.
const IDLE: Duration = Duration::from_secs(3600);

/// Where calls wait, and the subjects that they are answered at.
#[derive(Debug)]
pub(crate) struct Mailbox {
    prefix: Box<str>,
    desk: Arc<Desk>,
}

impl Mailbox {
    /// Subscribes. The subscription is made again with every connection.
    pub(crate) async fn open(
        client: &Client,
        inbox: &str,
        desk: Arc<Desk>,
        context: &Context,
    ) -> Result<Self, NatsError> {
        let prefix = format!("{inbox}.{:016x}.", fastrand::u64(..));
        let subscriber = client.subscribe(format!("{prefix}*")).await.map_err(NatsError::Subscribe)?;
        let mark = Subject::from(format!("{prefix}m"));
        let post = Post { client: client.clone(), mark, prefix_length: prefix.len(), desk: Arc::clone(&desk) };
        context.spawn(post.run(subscriber));
        Ok(Self { prefix: prefix.into(), desk })
    }

    /// A place for a call whose message follows. It is told when the server refuses the `subject`, and when the time is over.
    pub(crate) fn enter(
        &self,
        awaits: Awaits,
        subject: Option<&Subject>,
        deadline: Option<std::time::Instant>,
    ) -> Result<Place<'_>, NatsError> {
        self.desk.enter(awaits, subject.cloned(), deadline.map(Into::into))
    }

    /// Where a call is answered that waits for a reply.
    pub(crate) fn inbox(&self, place: &Place<'_>) -> Subject {
        let mut number = itoa::Buffer::new();
        let number = number.format(place.key().number());
        let mut subject = String::with_capacity(self.prefix.len() + number.len());
        subject.push_str(&self.prefix);
        subject.push_str(number);
        subject.into()
    }

    /// Waits until the server has everything up to a message that was just handed to the connection; `connects` is how
    /// often that had been made then.
    pub(crate) async fn mark(&self, connects: u64) -> Result<Marked, NatsError> {
        let place = self.enter(Awaits::Mark, None, None)?;
        place.published(connects);
        Ok(if matches!(place.outcome().await, Outcome::Taken) { Marked::Taken } else { Marked::Unknown })
    }
}

/// The task's own state.
struct Post {
    client: Client,
    mark: Subject,
    prefix_length: usize,
    desk: Arc<Desk>,
}

impl Post {
    async fn run(self, mut replies: Subscriber) {
        let mut rings = Instant::now() + IDLE;
        let mut alarm = pin!(sleep_until(rings));
        loop {
            tokio::select! {
                biased;
                reply = replies.next() => match reply {
                    Some(first) => self.take_in(first, &mut replies),
                    None => return,
                },
                () = self.desk.wanted() => {}
                () = &mut alarm => {}
            }
            let now = Instant::now();
            let Duty { mark, next } = self.desk.duty(now, self.client.connection_state() == State::Connected);
            if let Some(number) = mark {
                self.send(number).await;
            }
            // An alarm that rings too soon is cheaper than one that is set for each mark.
            let next = next.unwrap_or(now + IDLE);
            if next < rings || rings <= now {
                rings = next;
                alarm.as_mut().reset(next);
            }
        }
    }

    fn take_in(&self, first: Message, replies: &mut Subscriber) {
        let mut come = Some(first);
        let mut left = BATCH;
        self.desk.take_in(connects(&self.client), || {
            loop {
                left = left.checked_sub(1)?;
                let message = come.take().or_else(|| replies.next().now_or_never().flatten())?;
                if let Some(came) = self.read(message) {
                    return Some(came);
                }
            }
        });
    }

    fn read(&self, message: Message) -> Option<Came> {
        if message.subject == self.mark {
            return message.payload.as_ref().try_into().ok().map(|number| Came::Mark(u64::from_be_bytes(number)));
        }
        let number = message.subject.get(self.prefix_length..)?.parse().ok()?;
        Some(Came::Reply(Key::of_number(number), message))
    }

    async fn send(&self, mark: u64) {
        let number = Bytes::copy_from_slice(&mark.to_be_bytes());
        if self.client.publish(self.mark.clone(), number).await.is_err() {
            self.desk.end();
        }
    }
}

impl Drop for Post {
    fn drop(&mut self) {
        self.desk.close();
    }
}
