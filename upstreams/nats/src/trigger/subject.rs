//! A subject whose messages a queue group shares: delivered at most once.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use async_nats::Subscriber;
use callgate_core::Delivery;
use futures_util::{FutureExt, StreamExt};
use tokio::sync::Mutex;

use super::{message, receipt::Receipt};
use crate::{
    error::NatsError,
    known::{Denial, Pulse},
    link::Link,
};

/// How often it is told that messages are lost, at most.
const TOLD: Duration = Duration::from_secs(10);

/// A subscription, made when the first message is asked for.
#[derive(Debug)]
pub(super) struct Subscription {
    link: Arc<Link>,
    trigger: String,
    subject: String,
    queue: String,
    open: Mutex<Option<Open>>,
    stopped: AtomicBool,
}

#[derive(Debug)]
struct Open {
    subscriber: Subscriber,
    denial: Denial,
    pulse: Pulse,
    losses: Losses,
}

/// Messages that came faster than they were taken.
#[derive(Debug, Default)]
struct Losses {
    untold: bool,
    /// When it was told last.
    told: Option<Instant>,
}

impl Losses {
    fn tell(&mut self, trigger: &str) {
        if self.untold && self.told.is_none_or(|told| told.elapsed() >= TOLD) {
            tracing::warn!(trigger, "Messages are lost: they come faster than they are processed.");
            *self = Self { untold: false, told: Some(Instant::now()) };
        }
    }
}

impl Subscription {
    pub(super) fn new(link: &Arc<Link>, subject: &str, queue: &str, trigger: &str) -> Self {
        Self {
            link: Arc::clone(link),
            trigger: trigger.to_owned(),
            subject: subject.to_owned(),
            queue: queue.to_owned(),
            open: Mutex::new(None),
            stopped: AtomicBool::new(false),
        }
    }

    pub(super) async fn next(&self) -> Result<Delivery<Receipt>, NatsError> {
        let mut open = self.open.lock().await;
        let Open { subscriber, denial, pulse, losses } = match &mut *open {
            Some(open) => open,
            None if self.stopped.load(Ordering::Relaxed) => return Err(NatsError::Closed),
            none => none.insert(self.subscribe().await?),
        };
        loop {
            losses.untold |= pulse.take_overrun();
            losses.tell(&self.trigger);
            let taken = match subscriber.next().now_or_never() {
                Some(taken) => taken,
                None => {
                    self.link.check()?;
                    tokio::select! {
                        taken = subscriber.next() => taken,
                        () = denial.refused() => {
                            *open = None;
                            return Err(NatsError::Unsubscribable { subject: self.subject.clone() });
                        }
                        () = pulse.stop() => {
                            if pulse.is_overrun() {
                                continue;
                            }
                            *pulse = self.link.pulse();
                            return Err(self.link.check().err().unwrap_or(NatsError::Disconnected { why: None }));
                        }
                    }
                }
            };
            let Some(taken) = taken else {
                *open = None;
                return Err(NatsError::Closed);
            };
            let receipt = Receipt::of_subject(&self.link, taken.reply.clone());
            return Ok(Delivery { message: message::of_subject(taken), receipt });
        }
    }

    async fn subscribe(&self) -> Result<Open, NatsError> {
        let denial = self.link.denial(&self.subject.as_str().into());
        let subscriber = self.link.client.queue_subscribe(self.subject.clone(), self.queue.clone()).await;
        let subscriber = subscriber.map_err(NatsError::Subscribe)?;
        Ok(Open { subscriber, denial, pulse: self.link.pulse(), losses: Losses::default() })
    }

    /// Leaves the group. What has come by now is handed out still, as a subject keeps nothing.
    pub(super) async fn stop(&self) {
        if self.stopped.swap(true, Ordering::Relaxed) {
            return;
        }
        if let Some(open) = &mut *self.open.lock().await {
            // An error means that the connection is gone already.
            drop(open.subscriber.drain().await);
        }
    }
}
