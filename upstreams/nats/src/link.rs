//! A connection, which heals by itself for ever.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use async_nats::{
    Client, ConnectOptions, Subject, client::traits::Publisher, connection::State, message::OutboundMessage,
};
use callgate_core::{Context, UpstreamError, Whose};
use tokio::{
    sync::{oneshot, watch},
    time::timeout,
};

use crate::{
    config::{Config, Identity},
    desk::Desk,
    error::NatsError,
    known::{Denial, Ear, Known, Pulse},
    mailbox::Mailbox,
    marks::Marked,
    refusals::Refusals,
    shape::Parts,
    trust::{Trust, Turn},
    voice::{Said, Voice},
};

/// The longest pause between two attempts to connect.
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
/// The same of a worker's own connection, which has another beside it: a server that allows no more is asked seldom, as the
/// client library writes its answer into the log each time.
const LONGEST_PAUSE_OF_OWN: Duration = Duration::from_secs(60);
/// How long the server may take to give a sign of life.
const PATIENCE: Duration = Duration::from_secs(5);
/// How many replies of all calls of a connection may come at once; the library drops what comes beyond that.
const REPLIES: usize = 64 * 1024;
/// How many messages of a trigger may wait, which is what bounds its memory.
pub(crate) const MESSAGES: usize = 1024;

/// A connection with all that is known of it.
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) client: Client,
    pub(crate) mailbox: Mailbox,
    pub(crate) refusals: Refusals,
    pub(crate) trust: Arc<Trust>,
    pub(crate) context: Context,
    state: watch::Receiver<Known>,
    closing: watch::Sender<bool>,
}

/// What the connections of an upstream's calls are made by.
#[derive(Debug)]
pub(crate) struct Settings {
    config: Config,
    said: Arc<Said>,
}

impl Settings {
    pub(crate) fn new(config: Config) -> Self {
        Self { config, said: Arc::default() }
    }
}

impl callgate_core::Link for Link {
    type Settings = Settings;

    async fn open(settings: Arc<Settings>, whose: Whose, context: Context) -> Result<Self, UpstreamError> {
        let said = Arc::clone(&settings.said);
        let voice = match whose {
            Whose::Common => Voice::Common(said),
            Whose::Worker => Voice::Own(said),
        };
        Self::begin(&settings.config, REPLIES, voice, &context).await
    }

    fn is_up(&self) -> bool {
        self.is_connected() && !self.state.borrow().is_deaf()
    }

    async fn close(&self) {
        self.end().await;
    }
}

impl Link {
    /// Begins to connect, and goes on until it is dropped. `capacity` is how much may wait to be read of a subscription.
    pub(crate) async fn begin(
        config: &Config,
        capacity: usize,
        voice: Voice,
        context: &Context,
    ) -> Result<Self, UpstreamError> {
        let addresses = config.addresses().map_err(|flaw| NatsError::Settings(flaw.message))?;
        let (known, state) = watch::channel(Known::default());
        let (closing, closed) = watch::channel(false);
        let inbox = config.inbox_prefix();
        let is_own = !voice.is_common();
        let (trust, desk) = (Arc::<Trust>::default(), Arc::<Desk>::default());
        let ear = Ear {
            upstream: context.name().into(),
            inbox: inbox.to_owned(),
            known,
            trust: Arc::clone(&trust),
            desk: Arc::clone(&desk),
            voice,
        };
        let options = identified(ConnectOptions::new(), config, context).await?;
        let options = secured(options, config, context)
            .name(config.name.as_deref().unwrap_or("callgate"))
            .custom_inbox_prefix(inbox)
            .connection_timeout(config.connect_timeout())
            .retry_on_initial_connect()
            .max_reconnects(None)
            .request_timeout(None)
            // They are looked through where they are made.
            .skip_subject_validation(true)
            .subscription_capacity(capacity)
            .reconnect_delay_callback(move |attempt| if is_own { pause_of_own(attempt) } else { pause(attempt) })
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
                ear.hear(&event);
                std::future::ready(())
            });
        // The library starts its tasks where it is called, which is to be where all others of the connection are.
        let (to, connecting) = oneshot::channel();
        context.spawn(async move { drop(to.send(options.connect(addresses).await)) });
        let client = connecting.await.map_err(|_| NatsError::Closed)?.map_err(NatsError::Connect)?;
        let mailbox = Mailbox::open(&client, inbox, desk, context).await?;
        let refusals = Refusals::start(&client, inbox, state.clone(), context);
        // The first calls find a connection if there is one to be had. A broker that is down must not fail the load.
        let mut first = state.clone();
        let settled = first.wait_for(|known| known.connected || known.failure.is_some());
        drop(tokio::time::timeout(config.connect_timeout(), settled).await);
        Ok(Self { client, mailbox, refusals, trust, context: context.clone(), state, closing })
    }

    fn is_connected(&self) -> bool {
        self.client.connection_state() == State::Connected
    }

    /// Whether the server can be spoken to now.
    pub(crate) fn check(&self) -> Result<(), NatsError> {
        if !self.is_connected() {
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
        let why = match timeout(PATIENCE, self.mailbox.mark(self.connects())).await {
            Ok(marked) => match marked? {
                Marked::Taken => return Ok(()),
                Marked::Unknown => "the connection was just lost",
            },
            Err(_) => "the server does not answer",
        };
        Err(NatsError::Disconnected { why: Some(why.into()) })
    }

    /// How often the connection has been made: a message is lost if the number changed after it was published.
    pub(crate) fn connects(&self) -> u64 {
        connects(&self.client)
    }

    /// Whether the server takes messages of this subject: then how often the connection has been made.
    pub(crate) fn trusts(&self, subject: &Subject) -> Option<u64> {
        let connects = self.connects();
        self.trust.holds(subject, connects).then_some(connects)
    }

    /// Hands a message to the connection.
    pub(crate) async fn send(&self, subject: &Subject, reply: Option<Subject>, parts: Parts) -> Result<(), NatsError> {
        let (headers, payload) = parts;
        let sent = self.client.publish_message(OutboundMessage { subject: subject.clone(), reply, payload, headers });
        sent.await.map_err(|source| NatsError::Publish { subject: subject.to_string(), source })
    }

    /// Waits until a message to this subject may be published.
    pub(crate) async fn turn(&self, subject: &Subject) -> Result<Turn<'_>, NatsError> {
        self.trust.turn(subject, || self.connects()).await
    }

    /// Watches for a refusal of this subject from now on.
    pub(crate) fn denial(&self, subject: &Subject) -> Denial {
        Denial::new(self.state.clone(), subject.clone())
    }

    /// Watches whether replies may be missing from now on.
    pub(crate) fn pulse(&self) -> Pulse {
        Pulse::new(self.state.clone())
    }

    /// Sends what is queued and lets the connection go.
    pub(crate) async fn end(&self) {
        if !self.is_connected() {
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

/// Doubles from 200 ms.
pub(crate) fn pause(attempt: usize) -> Duration {
    doubled(Duration::from_millis(50), attempt, LONGEST_PAUSE)
}

/// Doubles from 800 ms.
fn pause_of_own(attempt: usize) -> Duration {
    doubled(Duration::from_millis(200), attempt, LONGEST_PAUSE_OF_OWN)
}

/// None before the first attempt, with jitter before the others, so that gateways do not come back in one wave.
fn doubled(least: Duration, attempt: usize, longest: Duration) -> Duration {
    if attempt <= 1 {
        return Duration::ZERO;
    }
    let doubled = least.saturating_mul(1 << attempt.min(10));
    doubled.min(longest).mul_f64(0.5 + fastrand::f64() / 2.0)
}

/// Says who the gateway is.
pub(crate) async fn identified(
    options: ConnectOptions,
    config: &Config,
    context: &Context,
) -> Result<ConnectOptions, NatsError> {
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

/// Says how the connection is secured.
pub(crate) fn secured(mut options: ConnectOptions, config: &Config, context: &Context) -> ConnectOptions {
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
