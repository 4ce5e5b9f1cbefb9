//! The connection: one per upstream, which heals by itself for ever.

use std::{
    collections::VecDeque,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use async_nats::{Client, ClientError, ConnectOptions, Event, ServerError, connection::State};
use callgate_core::{Context, UpstreamError};
use tokio::sync::watch;

use crate::{
    config::{Config, Identity},
    error::{self, NatsError},
    mailbox::{Mailbox, Marked, Published},
    refusals::{self, Refusals},
};

/// The longest pause between two attempts to connect.
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
/// How many refusals are kept for calls that have not looked yet.
const KEPT_DENIALS: usize = 1024;
/// Replies of one streamed response that wait for a slow client.
const STREAM_CAPACITY: usize = 1024;

/// A connection with all that is known of it.
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) client: Client,
    pub(crate) mailbox: Mailbox,
    pub(crate) refusals: Refusals,
    state: watch::Receiver<Known>,
    closing: watch::Sender<bool>,
}

/// What the server's events told.
#[derive(Debug, Clone, Default)]
pub(crate) struct Known {
    /// Grows with each refusal.
    denials: u64,
    recent: VecDeque<(u64, Box<str>)>,
    /// Why the inbox is of no use, if it isn't.
    deaf: Option<Arc<str>>,
    /// Grows when the server had to drop replies, as nobody read them.
    overruns: u64,
    /// Grows with each error that was provoked.
    provoked: u64,
    /// Grows when a connection is lost.
    losses: u64,
    connected: bool,
    /// Why the latest attempt to connect failed.
    failure: Option<Failure>,
}

/// Why there is no connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) why: Arc<str>,
    /// The server refuses the gateway's credentials.
    pub(crate) denied: bool,
}

impl Link {
    /// Begins to connect, and goes on until it is dropped.
    pub(crate) async fn open(config: &Config, context: &Context) -> Result<Self, UpstreamError> {
        let addresses = config.addresses().map_err(|flaw| NatsError::Settings(flaw.message))?;
        let (known, state) = watch::channel(Known::default());
        let (closing, closed) = watch::channel(false);
        let name = Arc::<str>::from(context.name());
        let inbox = config.inbox_prefix().to_owned();
        let heard = inbox.clone();
        let options = identified(ConnectOptions::new(), config, context).await?;
        let options = secured(options, config, context)
            .name(config.name.as_deref().unwrap_or("callgate"))
            .custom_inbox_prefix(&inbox)
            .connection_timeout(config.connect_timeout())
            .retry_on_initial_connect()
            .max_reconnects(None)
            .request_timeout(None)
            .subscription_capacity(STREAM_CAPACITY)
            .reconnect_delay_callback(pause)
            // The library goes on connecting after its client is gone; this parks it instead.
            .reconnect_to_server_callback(move |_, _| {
                let over = *closed.borrow() || closed.has_changed().is_err();
                async move {
                    if over {
                        std::future::pending::<()>().await;
                    }
                    None
                }
            })
            .event_callback(move |event| {
                hear(&event, &name, &heard, &known);
                std::future::ready(())
            });
        let client = options.connect(addresses).await.map_err(NatsError::Connect)?;
        let mailbox = Mailbox::open(&client, &inbox, state.clone(), context).await?;
        let refusals = Refusals::start(&client, &inbox, state.clone(), context);
        // The first calls find a connection if there is one to be had. A broker that is down must not fail the load.
        let mut first = state.clone();
        let settled = first.wait_for(|known| known.connected || known.failure.is_some());
        drop(tokio::time::timeout(config.connect_timeout(), settled).await);
        Ok(Self { client, mailbox, refusals, state, closing })
    }

    /// Whether the server can be spoken to now.
    pub(crate) fn check(&self) -> Result<(), NatsError> {
        if self.client.connection_state() != State::Connected {
            return Err(match self.state.borrow().failure.clone() {
                Some(failure) if failure.denied => NatsError::Refused { why: failure.why },
                failure => NatsError::Disconnected { why: failure.map(|failure| failure.why) },
            });
        }
        match self.state.borrow().deaf.clone() {
            Some(why) => Err(NatsError::Deaf { why }),
            None => Ok(()),
        }
    }

    /// Asks the server for a sign of life.
    pub(crate) async fn probe(&self) -> Result<(), NatsError> {
        self.check()?;
        let subject = async_nats::Subject::from("");
        match self.mailbox.mark(Published { subject, connects: self.connects() }).await? {
            Marked::Taken { .. } => Ok(()),
            Marked::Unknown => Err(NatsError::Disconnected { why: Some("the connection was just lost".into()) }),
        }
    }

    /// How often the connection has been made: a message is lost if the number changed after it was published.
    pub(crate) fn connects(&self) -> u64 {
        connects(&self.client)
    }

    /// Watches for a refusal of this subject from now on.
    pub(crate) fn denial(&self, subject: &async_nats::Subject) -> Denial {
        let state = self.state.clone();
        let since = state.borrow().denials;
        Denial { state, since, subject: subject.clone() }
    }

    /// Watches whether replies may be missing from now on.
    pub(crate) fn pulse(&self) -> Pulse {
        let state = self.state.clone();
        let (losses, overruns) = {
            let known = state.borrow();
            (known.losses, known.overruns)
        };
        Pulse { state, losses, overruns }
    }

    /// Sends what is queued and lets the connection go.
    pub(crate) async fn close(&self) {
        if self.client.connection_state() != State::Connected {
            self.closing.send_replace(true);
            return;
        }
        // An error means that the connection is gone already.
        drop(self.client.flush().await);
        drop(self.client.drain().await);
        self.closing.send_replace(true);
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.closing.send_replace(true);
    }
}

/// How often this client has connected.
pub(crate) fn connects(client: &Client) -> u64 {
    client.statistics().connects.load(Ordering::Acquire)
}

/// A watch for the server's refusal of one subject.
#[derive(Debug)]
pub(crate) struct Denial {
    state: watch::Receiver<Known>,
    since: u64,
    subject: async_nats::Subject,
}

impl Denial {
    /// Ends when the server refuses the subject, else never. For those who wait long.
    pub(crate) async fn refused(&mut self) {
        let (since, subject) = (self.since, &self.subject);
        if self.state.wait_for(|known| known.has_refused(since, subject)).await.is_err() {
            std::future::pending().await
        }
    }

    /// Ends when the server refuses the subject, or so many others that it may have, else never.
    pub(crate) async fn come(&mut self) -> NatsError {
        let mut verdict = None;
        let told = |known: &Known| {
            verdict = known.verdict(self.since, &self.subject);
            verdict.is_some()
        };
        drop(self.state.wait_for(told).await);
        match verdict {
            Some(verdict) => verdict,
            None => std::future::pending().await,
        }
    }
}

/// A watch for what makes a series of replies incomplete.
#[derive(Debug, Clone)]
pub(crate) struct Pulse {
    state: watch::Receiver<Known>,
    losses: u64,
    overruns: u64,
}

impl Pulse {
    /// Ends when the connection is lost or replies were dropped, else never.
    pub(crate) async fn stop(&mut self) {
        let (losses, overruns) = (self.losses, self.overruns);
        if self.state.wait_for(|known| known.losses != losses || known.overruns != overruns).await.is_err() {
            std::future::pending().await
        }
    }

    /// Watches on from now, whatever happened.
    pub(crate) fn go_on(&mut self) {
        let known = self.state.borrow();
        (self.losses, self.overruns) = (known.losses, known.overruns);
    }

    /// Whether replies were dropped.
    pub(crate) fn is_overrun(&self) -> bool {
        self.state.borrow().overruns != self.overruns
    }
}

/// Doubles from 50 ms, with jitter, so that gateways do not come back in one wave.
fn pause(attempt: usize) -> Duration {
    if attempt <= 1 {
        return Duration::ZERO;
    }
    let doubled = Duration::from_millis(50 << attempt.min(10));
    doubled.min(LONGEST_PAUSE).mul_f64(0.5 + fastrand::f64() / 2.0)
}

async fn identified(
    options: ConnectOptions,
    config: &Config,
    context: &Context,
) -> Result<ConnectOptions, UpstreamError> {
    let identity = config.credentials.identity().map_err(|flaw| NatsError::Settings(flaw.message))?;
    Ok(match identity {
        Identity::Nobody => options,
        Identity::Token(token) => options.token(token.to_owned()),
        Identity::User(user, password) => options.user_and_password(user.to_owned(), password.to_owned()),
        Identity::Nkey(seed) => options.nkey(seed.to_owned()),
        Identity::File(file) => {
            let path = context.file(file);
            let shown = path.display().to_string();
            options.credentials_file(path).await.map_err(|source| NatsError::Credentials { file: shown, source })?
        }
    })
}

fn secured(mut options: ConnectOptions, config: &Config, context: &Context) -> ConnectOptions {
    let Some(tls) = &config.tls else { return options };
    options = options.require_tls(true);
    if let Some(ca) = &tls.ca {
        options = options.add_root_certificates(context.file(ca));
    }
    if let (Some(certificate), Some(key)) = (&tls.certificate, &tls.private_key) {
        options = options.add_client_certificate(context.file(certificate), context.file(key));
    }
    if tls.first { options.tls_first() } else { options }
}

/// Keeps what an event tells.
fn hear(event: &Event, upstream: &str, inbox: &str, known: &watch::Sender<Known>) {
    match event {
        Event::Connected => {
            tracing::info!(upstream, "Connected to NATS.");
            known.send_modify(|known| (known.connected, known.failure, known.deaf) = (true, None, None));
        }
        Event::Disconnected => {
            tracing::warn!(upstream, "The connection to NATS is lost; it is made again.");
            known.send_modify(|known| (known.connected, known.losses) = (false, known.losses + 1));
        }
        Event::LameDuckMode => tracing::info!(upstream, "The NATS server is about to stop."),
        Event::SlowConsumer(_) => known.send_modify(|known| known.overruns += 1),
        Event::ServerError(ServerError::Other(text)) => match error::refused(text) {
            Some(error::Refused::Publish(subject)) => {
                tracing::warn!(
                    upstream,
                    subject,
                    "The NATS server refuses the subject: the gateway's user may not publish to it."
                );
                known.send_modify(|known| known.deny(subject));
            }
            Some(error::Refused::Subscribe(subject)) if refusals::is_provoked(subject) => {
                known.send_modify(|known| known.provoked += 1);
            }
            Some(error::Refused::Nonsense) => known.send_modify(|known| known.provoked += 1),
            Some(error::Refused::Subscribe(subject)) if subject.starts_with(inbox) => {
                let why = format!("the gateway's user may not subscribe to `{inbox}.>`, where it is answered");
                tracing::error!(upstream, subject, "{why}");
                known.send_modify(|known| known.deaf = Some(why.into()));
            }
            Some(error::Refused::Subscribe(subject)) => {
                tracing::warn!(
                    upstream,
                    subject,
                    "The NATS server refuses the subject: the gateway's user may not subscribe to it."
                );
                known.send_modify(|known| known.deny(subject));
            }
            None => tracing::warn!(upstream, error = text, "The NATS server reports an error."),
        },
        Event::ServerError(ServerError::AuthorizationViolation) => failed(known, upstream, "authorization violation"),
        Event::ServerError(other) => tracing::warn!(upstream, error = %other, "The NATS server reports an error."),
        Event::ClientError(ClientError::Other(text)) => failed(known, upstream, text),
        Event::ClientError(other) => failed(known, upstream, &other.to_string()),
        Event::Draining | Event::Closed => {}
    }
}

fn failed(known: &watch::Sender<Known>, upstream: &str, why: &str) {
    let failure = Failure {
        why: why.into(),
        denied: why.to_ascii_lowercase().contains("authori") || why.contains("authentication"),
    };
    // A broker that is down is tried for ever; the log is told once per reason.
    let news = known.borrow().failure.as_ref() != Some(&failure);
    if news {
        tracing::warn!(upstream, error = why, "NATS can't be reached; it is tried again.");
        known.send_modify(|known| known.failure = Some(failure));
    }
}

impl Known {
    fn deny(&mut self, subject: &str) {
        self.denials += 1;
        self.recent.push_back((self.denials, subject.into()));
        if self.recent.len() > KEPT_DENIALS {
            self.recent.pop_front();
        }
    }

    /// Whether the inbox is of no use.
    pub(crate) fn is_deaf(&self) -> bool {
        self.deaf.is_some()
    }

    fn has_refused(&self, since: u64, subject: &str) -> bool {
        let mut later = self.recent.iter().rev().take_while(|(number, _)| *number > since);
        later.any(|(_, denied)| **denied == *subject)
    }

    /// What has become of a message to the subject, as far as refusals later than `since` tell.
    fn verdict(&self, since: u64, subject: &str) -> Option<NatsError> {
        if self.has_refused(since, subject) {
            return Some(NatsError::Denied { subject: subject.to_owned() });
        }
        // Some are forgotten already; the one that is looked for may be among them.
        let forgotten = self.denials.saturating_sub(since) > self.recent.len() as u64;
        forgotten.then(|| NatsError::Unknown { subject: subject.to_owned() })
    }

    /// How many errors were provoked.
    pub(crate) fn provoked(&self) -> u64 {
        self.provoked
    }

    /// How often a connection was lost.
    pub(crate) fn losses(&self) -> u64 {
        self.losses
    }

    /// Subjects that were refused of late.
    pub(crate) fn denied(&self) -> impl Iterator<Item = &str> {
        self.recent.iter().map(|(_, subject)| &**subject)
    }
}
