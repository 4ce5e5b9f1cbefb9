//! The connection of an upstream, which heals by itself for ever.
//!
//! The client library could make a lost connection again, but only to the same broker, and calls would hang meanwhile.
//! Here a lost connection fails what is under way at once, and a new one is a new session.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use callgate_core::{Context, UpstreamError, Whose};
use futures_util::StreamExt;
use lapin::Event;
use tokio::{
    sync::watch,
    time::{interval, sleep, timeout},
};

use crate::{
    connections::{Blocked, Shared},
    dial::Failure,
    error::AmqpError,
    session::Session,
};

/// The longest pause between two attempts to connect.
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
/// The same for a worker's own connection, without which its calls go on: a broker that allows no more is not to be worn out.
const LONGEST_PAUSE_OF_WORKERS: Duration = Duration::from_secs(30);
/// How often a connection is looked at. Its end is told by an event, but for the broker's friendly goodbye.
pub(crate) const LOOK: Duration = Duration::from_secs(1);

/// The way to the connection.
#[derive(Debug)]
pub(crate) struct Link {
    shared: Arc<Shared>,
    state: watch::Receiver<State>,
    closing: watch::Sender<bool>,
    /// The exchanges of the bound functions.
    exchanges: Mutex<BTreeSet<String>>,
}

/// What is known of the connection.
#[derive(Debug, Clone, Default)]
struct State {
    session: Option<Arc<Session>>,
    /// Why the latest attempt to connect failed.
    failure: Option<Failure>,
}

impl callgate_core::Link for Link {
    type Settings = Shared;

    /// Begins to connect, and goes on until it is closed.
    async fn open(shared: Arc<Shared>, whose: Whose, context: Context) -> Result<Self, UpstreamError> {
        let limit = shared.config.connect_timeout();
        let (sender, state) = watch::channel(State::default());
        let (closing, closed) = watch::channel(false);
        let keeper = Keeper { shared: Arc::clone(&shared), whose, context: context.clone(), state: sender, closed };
        context.spawn(keeper.run());
        // The first calls find a connection if there is one to be had. A broker that is down must not fail the load.
        let mut first = state.clone();
        let settled = first.wait_for(|state| state.session.is_some() || state.failure.is_some());
        drop(timeout(limit, settled).await);
        Ok(Self { shared, state, closing, exchanges: Mutex::default() })
    }

    fn is_up(&self) -> bool {
        self.state.borrow().session.as_ref().is_some_and(|session| session.is_alive())
    }

    /// Lets the connection go. What was confirmed to a client is at the broker; nothing else is kept back.
    async fn close(&self) {
        // Before the task that keeps it, which may run on another thread, lets it go.
        let session = self.state.borrow().session.clone();
        self.closing.send_replace(true);
        if let Some(session) = session {
            session.close().await;
        }
    }
}

impl Link {
    /// The session that calls go through now.
    pub(crate) fn session(&self) -> Result<Arc<Session>, AmqpError> {
        let state = self.state.borrow();
        if let Some(session) = &state.session
            && session.is_alive()
        {
            return Ok(Arc::clone(session));
        }
        Err(state.failure.clone().map_or(AmqpError::Disconnected { why: None }, AmqpError::from))
    }

    /// Keeps in mind an exchange that a function needs.
    pub(crate) fn needs(&self, exchange: &str) {
        self.exchanges.lock().unwrap_or_else(PoisonError::into_inner).insert(exchange.to_owned());
    }

    /// Asks the broker for a sign of life, and for the exchanges of the functions.
    pub(crate) async fn probe(&self) -> Result<(), AmqpError> {
        if self.shared.is_blocked() {
            return Err(AmqpError::Blocked);
        }
        let exchanges: Vec<_> = self.exchanges.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect();
        self.session()?.probe(&exchanges).await
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.closing.send_replace(true);
    }
}

/// The task that makes the connection again and again.
struct Keeper {
    shared: Arc<Shared>,
    whose: Whose,
    context: Context,
    state: watch::Sender<State>,
    closed: watch::Receiver<bool>,
}

impl Keeper {
    async fn run(self) {
        let mut closed = self.closed.clone();
        let over = async move {
            // An error means that the upstream is gone.
            drop(closed.wait_for(|closed| *closed).await);
        };
        tokio::select! {
            () = over => {}
            () = self.keep() => {}
        }
    }

    async fn keep(&self) {
        let brokers = self.shared.dialing.len();
        let mut attempts = 0;
        let mut server = 0;
        loop {
            match self.connect(server).await {
                Ok(session) => {
                    attempts = 0;
                    let failure = self.serve(server, session).await;
                    self.failed(failure);
                }
                Err(failure) => {
                    self.failed(failure);
                    server = (server + 1) % brokers;
                    attempts += 1;
                }
            }
            // A whole round through the brokers has no pause in it.
            let rounds = attempts / brokers;
            if attempts > 0 && attempts % brokers == 0 {
                sleep(pause(rounds, self.whose)).await;
            }
        }
    }

    async fn connect(&self, server: usize) -> Result<Session, Failure> {
        let Shared { config, dialing, .. } = &*self.shared;
        let dialed = dialing.dial(server).await?;
        let number = self.shared.number(self.whose);
        let session = Session::new(dialed, number, config.channels(self.whose), &self.context);
        // By each connection: it may lead to another broker, or be the first one after the broker has forgotten.
        match session.make(&config.declare).await {
            Ok(()) => Ok(session),
            Err(error) => {
                Err(Failure { why: error.to_string().into(), denied: matches!(error, AmqpError::Declared { .. }) })
            }
        }
    }

    /// Offers the session to calls until it is over.
    async fn serve(&self, server: usize, session: Session) -> Failure {
        let broker = self.shared.dialing.server(server);
        self.shared.connected(self.whose, broker);
        if self.whose == Whose::Common {
            self.look_for_exchange(&session).await;
        }
        let session = Arc::new(session);
        let mut events = session.events();
        self.state.send_modify(|state| (state.session, state.failure) = (Some(Arc::clone(&session)), None));
        let mut looks = interval(LOOK);
        let (mut why, mut blocked) = (None, None);
        while session.is_alive() {
            tokio::select! {
                event = events.next() => match event {
                    Some(Event::ConnectionBlocked(reason)) => {
                        blocked.get_or_insert_with(|| self.shared.block(&reason));
                    }
                    Some(Event::ConnectionUnblocked) => {
                        blocked.take().into_iter().for_each(Blocked::end);
                    }
                    Some(Event::Error(error)) => why = Some(error),
                    Some(_) => {}
                    None => break,
                },
                _ = looks.tick() => {}
            }
        }
        session.cut();
        let why = why.map_or_else(|| "the connection was closed".to_owned(), |error| error.to_string());
        self.shared.lost(self.whose, broker, &why);
        Failure { why: format!("{broker}: {why}").into(), denied: false }
    }

    /// The upstream's exchange is only looked for: without it, calls are answered by what the broker says.
    async fn look_for_exchange(&self, session: &Session) {
        let exchange = &self.shared.config.exchange;
        if let Err(error) = session.probe(std::slice::from_ref(exchange)).await {
            tracing::warn!(upstream = self.context.name(), exchange, error = %error, "The exchange can't be used.");
        }
    }

    fn failed(&self, failure: Failure) {
        // A broker that is down is tried for ever; the log is told once per reason.
        let before = self.state.borrow().clone();
        if before.failure.as_ref() != Some(&failure) && before.session.is_none() {
            self.shared.failed(self.whose, &failure.why);
        }
        self.state.send_modify(|state| (state.session, state.failure) = (None, Some(failure)));
    }
}

impl Drop for Keeper {
    /// Without its runtime a connection is dead, though the client library does not learn of it: a worker ends before the
    /// upstream is closed.
    fn drop(&mut self) {
        self.state.send_modify(|state| state.session = None);
    }
}

/// Doubles from 100 ms, with jitter, so that gateways do not come back in one wave.
fn pause(round: usize, whose: Whose) -> Duration {
    let doubled = Duration::from_millis(50 << round.min(10));
    let longest = match whose {
        Whose::Common => LONGEST_PAUSE,
        Whose::Worker => LONGEST_PAUSE_OF_WORKERS,
    };
    doubled.min(longest).mul_f64(0.5 + fastrand::f64() / 2.0)
}
