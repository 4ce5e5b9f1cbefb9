//! A durable consumer of a stream: delivered at least once.
//!
//! A task of its own pulls messages a few ahead, so that a message costs no round trip. It keeps the stream waiting for
//! those that are not handed out yet; the core does so for the others.

use std::{
    collections::VecDeque,
    num::NonZeroU32,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_nats::Subject;
use callgate_core::{Context, Delivery, trigger::Message};
use tokio::sync::{Notify, watch};

use super::{receipt::Receipt, session::Session};
use crate::{error::NatsError, link::Link};

/// The most messages that are pulled ahead.
const MOST_AHEAD: u32 = 256;

/// A consumer and what was pulled of it.
#[derive(Debug)]
pub(super) struct Consumer {
    link: Arc<Link>,
    names: Names,
    shared: Arc<Shared>,
    stopping: watch::Sender<bool>,
    /// Closed once the task has ended.
    ended: watch::Receiver<()>,
}

/// Which consumer.
#[derive(Debug, Clone)]
pub(super) struct Names {
    pub(super) stream: String,
    pub(super) consumer: String,
}

/// What the task and those who ask for messages share.
#[derive(Debug, Default)]
pub(super) struct Shared {
    pulled: Mutex<Pulled>,
    /// A message or trouble has come.
    arrived: Notify,
    /// Somebody waits for messages.
    wanted: Notify,
    /// A message was handed out.
    pub(super) room: Notify,
}

#[derive(Debug, Default)]
struct Pulled {
    messages: VecDeque<Stored>,
    trouble: Option<NatsError>,
}

/// A message that was pulled.
#[derive(Debug)]
pub(super) struct Stored {
    pub(super) message: Message,
    /// Where it is settled.
    pub(super) subject: Subject,
    pub(super) lease: Duration,
}

impl Consumer {
    pub(super) fn open(
        link: &Arc<Link>,
        stream: &str,
        consumer: &str,
        concurrency: NonZeroU32,
        context: &Context,
    ) -> Self {
        let names = Names { stream: stream.to_owned(), consumer: consumer.to_owned() };
        let shared = Arc::<Shared>::default();
        let (stopping, stop) = watch::channel(false);
        let (alive, ended) = watch::channel(());
        let ahead = concurrency.get().min(MOST_AHEAD);
        let session = Session {
            link: Arc::clone(link),
            names: names.clone(),
            shared: Arc::clone(&shared),
            trigger: context.name().to_owned(),
            ahead: usize::try_from(ahead).unwrap_or(1),
        };
        context.spawn(async move {
            pull(session, stop).await;
            drop(alive);
        });
        Self { link: Arc::clone(link), names, shared, stopping, ended }
    }

    pub(super) async fn next(&self) -> Result<Delivery<Receipt>, NatsError> {
        loop {
            {
                let mut pulled = self.shared.lock();
                if let Some(Stored { message, subject, lease }) = pulled.messages.pop_front() {
                    self.shared.room.notify_one();
                    let receipt = Receipt::of_consumer(&self.link, subject, lease);
                    return Ok(Delivery { message, receipt });
                }
                if let Some(trouble) = pulled.trouble.take() {
                    return Err(trouble);
                }
            }
            if *self.stopping.borrow() {
                return Err(NatsError::Closed);
            }
            self.shared.wanted.notify_one();
            self.shared.arrived.notified().await;
        }
    }

    /// Whether the consumer is there and can be used.
    pub(super) async fn check(&self) -> Result<(), NatsError> {
        self.names.look_up(&self.link).await.map(drop)
    }

    /// Pulls no more, and gives back what was not handed out.
    pub(super) async fn stop(&self) {
        self.stopping.send_replace(true);
        let mut ended = self.ended.clone();
        while ended.changed().await.is_ok() {}
        if self.link.check().is_ok() {
            // What is given back is to reach the server soon; an error means that the connection is gone.
            drop(self.link.client.flush().await);
        }
    }
}

/// Pulls whenever messages are wanted, until it is stopped. After trouble it waits until they are wanted again.
async fn pull(session: Session, mut stop: watch::Receiver<bool>) {
    let stopped = stop.wait_for(|stop| *stop);
    let mut stopped = std::pin::pin!(stopped);
    loop {
        tokio::select! {
            _ = &mut stopped => break,
            () = session.shared.wanted.notified() => {}
        }
        let trouble = tokio::select! {
            _ = &mut stopped => break,
            trouble = session.run() => trouble,
        };
        session.give_back().await;
        session.shared.fail(trouble);
    }
    session.give_back().await;
    session.shared.arrived.notify_one();
}

impl Shared {
    /// How many messages wait to be handed out.
    pub(super) fn waiting(&self) -> usize {
        self.lock().messages.len()
    }

    /// Where those that wait are settled.
    pub(super) fn subjects(&self) -> Vec<Subject> {
        self.lock().messages.iter().map(|stored| stored.subject.clone()).collect()
    }

    pub(super) fn put(&self, stored: Stored) {
        self.lock().messages.push_back(stored);
        self.arrived.notify_one();
    }

    pub(super) fn take_all(&self) -> VecDeque<Stored> {
        std::mem::take(&mut self.lock().messages)
    }

    /// Messages can be had again.
    pub(super) fn recovered(&self) {
        self.lock().trouble = None;
    }

    fn fail(&self, trouble: NatsError) {
        self.lock().trouble = Some(trouble);
        self.arrived.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, Pulled> {
        self.pulled.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
