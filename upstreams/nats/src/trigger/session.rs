//! Pulls from a consumer for as long as the connection and the consumer are there.

use std::{sync::Arc, time::Duration};

use async_nats::Subject;
use callgate_core::ErrorKind;
use futures_util::StreamExt;
use serde::Deserialize;
use serde_json::json;
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep_until, timeout};

use super::{
    acknowledgement::Acknowledgement,
    consumer::{Names, Shared, Stored},
    message,
    receipt::tell,
};
use crate::{error::NatsError, known::Pulse, link::Link};

/// How long JetStream may take to describe a consumer.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long a pull waits for messages.
const PULL: Duration = Duration::from_secs(30);
/// How often the server says that a pull still waits.
const HEARTBEAT: Duration = Duration::from_secs(5);
/// How long the server may be silent about a pull.
const SILENCE: Duration = Duration::from_secs(15);
/// The pause after a pull that the server refused.
const REFUSED: Duration = Duration::from_millis(500);

/// What is needed to pull.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) link: Arc<Link>,
    pub(super) names: Names,
    pub(super) shared: Arc<Shared>,
    pub(super) trigger: String,
    /// How many messages are pulled ahead.
    pub(super) ahead: usize,
}

/// A pull that the server has not answered in full.
struct Pull {
    outstanding: usize,
    /// When the server was heard of last, or when the next pull may begin.
    since: Instant,
}

impl Session {
    /// Pulls until something is wrong, and says what.
    pub(super) async fn run(&self) -> NatsError {
        match self.pull().await {
            Ok(never) => match never {},
            Err(trouble) => trouble,
        }
    }

    async fn pull(&self) -> Result<std::convert::Infallible, NatsError> {
        self.link.check()?;
        let mut pulse = self.link.pulse();
        let settings = self.names.look_up(&self.link).await?;
        let lease = settings.lease(&self.trigger);
        let request = Subject::from(format!("$JS.API.CONSUMER.MSG.NEXT.{}.{}", self.names.stream, self.names.consumer));
        let mut denial = self.link.denial(&request);
        let inbox = Subject::from(self.link.client.new_inbox());
        let mut subscriber = self.link.client.subscribe(inbox.clone()).await.map_err(NatsError::Subscribe)?;
        self.shared.recovered();
        let pause = (lease / 3).max(Duration::from_millis(100));
        let mut renewals = interval_at(Instant::now() + pause, pause);
        renewals.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut pull = Pull { outstanding: 0, since: Instant::now() };
        loop {
            let waiting = self.shared.waiting();
            let begins = pull.outstanding == 0 && waiting <= self.ahead / 2;
            if begins && pull.since <= Instant::now() {
                let batch = settings.batch(self.ahead - waiting);
                self.ask(&request, &inbox, batch, settings.expires()).await?;
                pull = Pull { outstanding: batch, since: Instant::now() };
                continue;
            }
            let next_look = if begins { pull.since } else { pull.since + SILENCE };
            tokio::select! {
                biased;
                () = lost(&mut pulse) => {
                    return Err(self.link.check().err().unwrap_or(NatsError::Disconnected { why: None }));
                }
                () = denial.refused() => return Err(NatsError::Denied { subject: request.to_string() }),
                came = subscriber.next() => self.came(came, &mut pull, lease)?,
                _ = renewals.tick() => self.renew().await?,
                () = self.shared.room.notified() => {}
                () = sleep_until(next_look), if begins || pull.outstanding > 0 => {
                    if !begins {
                        let told = "the server is silent about it".to_owned();
                        return Err(self.names.unusable(told, ErrorKind::Unavailable));
                    }
                }
            }
        }
    }

    async fn ask(&self, request: &Subject, inbox: &Subject, batch: usize, expires: Duration) -> Result<(), NatsError> {
        let mut pull = json!({"batch": batch, "expires": nanoseconds(expires)});
        // The server refuses one that comes later than at half time; so short a pull needs none.
        if HEARTBEAT <= expires / 2 {
            pull["idle_heartbeat"] = nanoseconds(HEARTBEAT).into();
        }
        let sent = self.link.client.publish_with_reply(request.clone(), inbox.clone(), pull.to_string().into()).await;
        sent.map_err(|source| NatsError::Publish { subject: request.to_string(), source })
    }

    /// Takes what the server sent for a pull: a message, or a word about the pull.
    fn came(&self, came: Option<async_nats::Message>, pull: &mut Pull, lease: Duration) -> Result<(), NatsError> {
        let came = came.ok_or(NatsError::Closed)?;
        pull.since = Instant::now();
        if let Some((acknowledgement, subject)) = settled_at(&came) {
            pull.outstanding = pull.outstanding.saturating_sub(1);
            let message = message::of_stream(came, &acknowledgement);
            self.shared.put(Stored { message, subject, lease });
            return Ok(());
        }
        let Some(status) = came.status else { return Ok(()) };
        let told = came.description.unwrap_or_default();
        match status.as_u16() {
            // It still waits.
            100 => {}
            // It waited in vain.
            404 | 408 => pull.outstanding = 0,
            409 if told.contains("Deleted") || told.contains("push based") => {
                return Err(self.names.unusable(told, ErrorKind::Unavailable));
            }
            // The consumer was changed meanwhile: its new limits are looked up.
            409 if told.contains("Exceeded MaxRequest") => {
                return Err(self.names.unusable(told, ErrorKind::Unavailable));
            }
            409 => *pull = Pull { outstanding: 0, since: Instant::now() + REFUSED },
            503 => return Err(self.names.unusable("JetStream does not answer".to_owned(), ErrorKind::Unavailable)),
            other => return Err(self.names.unusable(format!("{other} {told}"), ErrorKind::Unavailable)),
        }
        Ok(())
    }

    /// Keeps the stream waiting for what was not handed out yet.
    async fn renew(&self) -> Result<(), NatsError> {
        for subject in self.shared.subjects() {
            tell(&self.link, &subject, "+WPI".into()).await?;
        }
        Ok(())
    }

    /// Gives back what was not handed out. Without a connection the lease's end does the same.
    pub(super) async fn give_back(&self) {
        for stored in self.shared.take_all() {
            if tell(&self.link, &stored.subject, "-NAK".into()).await.is_err() {
                return;
            }
        }
    }
}

/// Where a message of the stream is settled, by which it is told from a word about the pull: a status may be its sender's.
fn settled_at(came: &async_nats::Message) -> Option<(Acknowledgement, Subject)> {
    let subject = came.reply.clone()?;
    Some((Acknowledgement::read(&subject)?, subject))
}

/// Ends when the connection is lost. Replies that were dropped are delivered again by the stream.
async fn lost(pulse: &mut Pulse) {
    loop {
        pulse.stop().await;
        if !pulse.take_overrun() {
            return;
        }
    }
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// What JetStream says of a consumer.
#[derive(Debug, Deserialize)]
struct Info {
    config: Option<Settings>,
    error: Option<Refusal>,
}

#[derive(Debug, Deserialize)]
struct Refusal {
    #[serde(default)]
    description: String,
}

/// The settings of a consumer, as far as they matter.
#[derive(Debug, Deserialize)]
pub(super) struct Settings {
    #[serde(default)]
    ack_policy: String,
    /// Nanoseconds.
    #[serde(default)]
    ack_wait: u64,
    #[serde(default)]
    max_deliver: i64,
    deliver_subject: Option<String>,
    /// The most messages that one pull may ask for; none or less for any number.
    #[serde(default)]
    max_batch: i64,
    /// The longest that one pull may wait: nanoseconds, none for any time.
    #[serde(default)]
    max_expires: u64,
}

impl Settings {
    /// How many messages a pull may ask for where so many are wanted.
    fn batch(&self, wanted: usize) -> usize {
        match usize::try_from(self.max_batch) {
            Ok(most @ 1..) => wanted.min(most),
            _ => wanted,
        }
    }

    /// How long a pull waits.
    fn expires(&self) -> Duration {
        match Duration::from_nanos(self.max_expires) {
            Duration::ZERO => PULL,
            longest => longest.min(PULL),
        }
    }

    /// How long the consumer waits for a message to be settled.
    fn lease(&self, trigger: &str) -> Duration {
        if self.max_deliver > 0 {
            let most = self.max_deliver;
            tracing::warn!(
                trigger,
                most,
                "The consumer gives a message up by itself after so many deliveries (max_deliver); what the trigger could not process by then is not delivered again."
            );
        }
        Duration::from_nanos(self.ack_wait).max(Duration::from_secs(1))
    }
}

impl Names {
    /// Asks JetStream about the consumer, and checks that it can be used.
    pub(super) async fn look_up(&self, link: &Link) -> Result<Settings, NatsError> {
        link.check()?;
        let subject = Subject::from(format!("$JS.API.CONSUMER.INFO.{}.{}", self.stream, self.consumer));
        let mut denial = link.denial(&subject);
        let asked = timeout(PATIENCE, link.client.request(subject.clone(), "".into()));
        let answer = tokio::select! {
            answer = asked => answer,
            () = denial.refused() => return Err(NatsError::Denied { subject: subject.to_string() }),
        };
        let answer = match answer {
            Ok(Ok(answer)) => answer,
            Ok(Err(error)) => {
                return Err(self.unusable(format!("JetStream does not answer: {error}"), ErrorKind::Unavailable));
            }
            Err(_) => return Err(self.unusable("JetStream does not answer".to_owned(), ErrorKind::Timeout)),
        };
        let info: Info = serde_json::from_slice(&answer.payload).map_err(|error| {
            self.unusable(format!("JetStream's answer can't be read: {error}"), ErrorKind::BadReply)
        })?;
        if let Some(Refusal { description }) = info.error {
            return Err(self.unusable(description, ErrorKind::Unavailable));
        }
        let settings =
            info.config.ok_or_else(|| self.unusable("it has no settings".to_owned(), ErrorKind::BadReply))?;
        if settings.deliver_subject.is_some() {
            let told = "it pushes its messages; a trigger needs one that is pulled from".to_owned();
            return Err(self.unusable(told, ErrorKind::Unavailable));
        }
        if settings.ack_policy != "explicit" {
            let told = format!("its ack policy is `{}`; a trigger needs `explicit`", settings.ack_policy);
            return Err(self.unusable(told, ErrorKind::Unavailable));
        }
        Ok(settings)
    }

    fn unusable(&self, told: String, kind: ErrorKind) -> NatsError {
        NatsError::Consumer { stream: self.stream.clone(), consumer: self.consumer.clone(), told, kind }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_known_by_where_it_is_settled_whatever_its_status() {
        let came = |reply: Option<&str>| async_nats::Message {
            subject: "_INBOX.a".into(),
            reply: reply.map(Into::into),
            payload: "".into(),
            headers: None,
            status: Some(async_nats::StatusCode::try_from(409).unwrap()),
            description: Some("Consumer Deleted".to_owned()),
            length: 0,
        };
        let (acknowledgement, subject) = settled_at(&came(Some("$JS.ACK.S.c.2.42.7.1700000000.3"))).unwrap();
        assert_eq!((acknowledgement.delivered, subject.as_str()), (2, "$JS.ACK.S.c.2.42.7.1700000000.3"));
        assert!(settled_at(&came(None)).is_none() && settled_at(&came(Some("_INBOX.b"))).is_none());
    }

    #[test]
    fn a_pull_keeps_within_the_consumers_limits() {
        let settings = |limits| serde_json::from_value::<Settings>(limits).unwrap();
        let free = settings(json!({}));
        assert_eq!((free.batch(8), free.expires()), (8, PULL));
        let unlimited = settings(json!({"max_batch": -1, "max_expires": 0}));
        assert_eq!((unlimited.batch(8), unlimited.expires()), (8, PULL));
        let limited = settings(json!({"max_batch": 3, "max_expires": 2_000_000_000}));
        assert_eq!((limited.batch(8), limited.batch(2), limited.expires()), (3, 2, Duration::from_secs(2)));
        assert_eq!(settings(json!({"max_expires": 60_000_000_000_u64})).expires(), PULL);
    }
}
