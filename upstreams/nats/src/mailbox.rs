//! Where the gateway is answered: one subscription for all calls of an upstream.
//!
//! Two things come in. Replies go to the call that waits for them. Marks are messages of the gateway to itself: a server
//! handles what one connection sends in order, so a mark that comes back proves that the server has everything that was
//! published before it. NATS has no other acknowledgement of a plain publish. One mark at a time serves all messages that
//! were published meanwhile, so that under load a mark costs a fraction of a message.

use std::{
    collections::HashMap,
    sync::atomic::{AtomicU64, Ordering},
};

use async_nats::{Client, Message, Subject, Subscriber, connection::State};
use bytes::Bytes;
use callgate_core::Context;
use futures_util::StreamExt;
use tokio::{
    sync::{mpsc, oneshot, watch},
    time::{Instant, sleep_until},
};

use crate::{error::NatsError, known::Known, link::connects, marks::Marks};

/// Calls that wait to be taken in.
const QUEUE: usize = 4096;

/// The way to the task that owns the subscription.
#[derive(Debug)]
pub(crate) struct Mailbox {
    prefix: String,
    wishes: mpsc::Sender<Wish>,
    number: AtomicU64,
}

#[derive(Debug)]
enum Wish {
    Reply { number: u64, to: oneshot::Sender<Message> },
    Mark { connects: u64, to: oneshot::Sender<Marked> },
}

/// What a mark proved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Marked {
    /// The server has the message.
    Taken,
    /// The connection was made anew in between: nobody knows.
    Unknown,
}

/// A reply that is waited for, and the subject to name as the place for it.
#[derive(Debug)]
pub(crate) struct Awaited {
    pub(crate) inbox: Subject,
    pub(crate) reply: oneshot::Receiver<Message>,
}

impl Mailbox {
    /// Subscribes. The subscription is made again with every connection.
    pub(crate) async fn open(
        client: &Client,
        inbox: &str,
        state: watch::Receiver<Known>,
        context: &Context,
    ) -> Result<Self, NatsError> {
        let prefix = format!("{inbox}.{:016x}", fastrand::u64(..));
        let subscriber = client.subscribe(format!("{prefix}.*")).await.map_err(NatsError::Subscribe)?;
        let (wishes, queue) = mpsc::channel(QUEUE);
        let post = Post {
            client: client.clone(),
            mark: format!("{prefix}.m").into(),
            prefix_length: prefix.len() + 1,
            waiting: HashMap::new(),
            swept: 0,
            marks: Marks::default(),
            losses: 0,
            overruns: 0,
        };
        context.spawn(post.run(subscriber, queue, state));
        Ok(Self { prefix, wishes, number: AtomicU64::new(0) })
    }

    /// Prepares for a reply. To be called before the request is published.
    pub(crate) async fn expect(&self) -> Result<Awaited, NatsError> {
        let number = self.number.fetch_add(1, Ordering::Relaxed);
        let (to, reply) = oneshot::channel();
        self.wishes.send(Wish::Reply { number, to }).await.map_err(|_| NatsError::Closed)?;
        Ok(Awaited { inbox: format!("{}.{number}", self.prefix).into(), reply })
    }

    /// Waits until the server has everything up to a message that was just handed to the connection; `connects` is how
    /// often that had been made then.
    pub(crate) async fn mark(&self, connects: u64) -> Result<Marked, NatsError> {
        let (to, marked) = oneshot::channel();
        self.wishes.send(Wish::Mark { connects, to }).await.map_err(|_| NatsError::Closed)?;
        Ok(marked.await.unwrap_or(Marked::Unknown))
    }
}

/// The task's own state.
struct Post {
    client: Client,
    mark: Subject,
    prefix_length: usize,
    waiting: HashMap<u64, oneshot::Sender<Message>>,
    /// How many were waiting when the ones that gave up were last removed.
    swept: usize,
    marks: Marks,
    losses: u64,
    overruns: u64,
}

impl Post {
    async fn run(
        mut self,
        mut replies: Subscriber,
        mut wishes: mpsc::Receiver<Wish>,
        mut state: watch::Receiver<Known>,
    ) {
        loop {
            tokio::select! {
                wish = wishes.recv() => match wish {
                    Some(wish) => {
                        self.take(wish);
                        while let Ok(wish) = wishes.try_recv() {
                            self.take(wish);
                        }
                    }
                    None => return,
                },
                reply = replies.next() => match reply {
                    Some(reply) => {
                        // A wish was made before its reply was asked for, so it is in the queue by now.
                        while let Ok(wish) = wishes.try_recv() {
                            self.take(wish);
                        }
                        self.deliver(reply);
                    }
                    None => return,
                },
                changed = state.changed() => {
                    if changed.is_err() {
                        return;
                    }
                    self.hear(&state.borrow_and_update());
                }
                () = come(self.marks.due()) => {}
            }
            self.send_mark().await;
        }
    }

    fn take(&mut self, wish: Wish) {
        match wish {
            Wish::Mark { connects, to } => self.marks.wait(connects, to),
            Wish::Reply { number, to } => {
                // Calls that ended early leave their place; it is swept before it grows.
                if self.waiting.len() > 64 + 2 * self.swept {
                    self.waiting.retain(|_, to| !to.is_closed());
                    self.swept = self.waiting.len();
                }
                self.waiting.insert(number, to);
            }
        }
    }

    fn deliver(&mut self, message: Message) {
        if message.subject == self.mark {
            if let Ok(number) = message.payload.as_ref().try_into().map(u64::from_be_bytes) {
                self.marks.back(number, connects(&self.client));
            }
            return;
        }
        let number = message.subject.get(self.prefix_length..).and_then(|number| number.parse().ok());
        if let Some(to) = number.and_then(|number: u64| self.waiting.remove(&number)) {
            // A call that went away needs no reply.
            to.send(message).ok();
        }
    }

    /// A connection that is lost takes along what was asked in it; nobody knows how far it came.
    fn hear(&mut self, known: &Known) {
        if known.losses() != self.losses {
            self.losses = known.losses();
            self.marks.lose();
            self.waiting.clear();
        }
        if known.overruns() != self.overruns {
            self.overruns = known.overruns();
            self.marks.suspect(Instant::now());
        }
        if known.is_deaf() {
            self.marks.clear();
            self.waiting.clear();
        }
    }

    async fn send_mark(&mut self) {
        // The loss may have been heard before a call was that came too late to know of it.
        if self.client.connection_state() != State::Connected {
            self.marks.clear();
        }
        let Some(number) = self.marks.send(Instant::now()) else { return };
        let number = Bytes::copy_from_slice(&number.to_be_bytes());
        if self.client.publish(self.mark.clone(), number).await.is_err() {
            self.marks.lose();
        }
    }
}

async fn come(due: Option<Instant>) {
    match due {
        Some(due) => sleep_until(due).await,
        None => std::future::pending().await,
    }
}
