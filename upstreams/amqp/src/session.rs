//! A connection while it lasts, and the messages that go through it.

use std::{
    fmt,
    net::{Shutdown, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use callgate_core::Context;
use futures_util::Stream;
use lapin::{
    Channel, Connection, ConnectionStatus, Event, ExchangeKind, options::ExchangeDeclareOptions, types::FieldTable,
};
use tokio::{sync::Semaphore, time::timeout};

use crate::{
    declare::Declare,
    dial::Dialed,
    error::AmqpError,
    key,
    lane::{Lane, Outcome},
    outgoing::{Outgoing, target},
    solo,
    standing::Number,
};

/// How many messages that are not known yet go at once, each on a channel of its own.
const ALONE: usize = 16;
/// How long the broker may take to answer what is asked beside messages.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long declarations may take.
const DECLARING: Duration = Duration::from_secs(30);

/// What the broker takes in this session.
#[derive(Debug)]
pub(crate) struct Limits {
    pub(crate) session: Number,
    connection: ConnectionStatus,
    frame: usize,
    largest: AtomicUsize,
}

/// A connection with its lanes.
pub(crate) struct Session {
    connection: Arc<Connection>,
    limits: Arc<Limits>,
    lanes: Vec<Lane>,
    next: AtomicUsize,
    alone: Semaphore,
    breaker: TcpStream,
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").field("limits", &self.limits).finish_non_exhaustive()
    }
}

impl Limits {
    /// Whether the broker takes no messages now.
    pub(crate) fn is_blocked(&self) -> bool {
        self.connection.blocked()
    }

    /// The broker has said how large a message may be.
    pub(crate) fn learn(&self, largest: usize) {
        self.largest.store(largest, Ordering::Relaxed);
    }

    /// Whether a message is within what is known.
    fn check(&self, message: &Outgoing) -> Result<(), AmqpError> {
        let (size, most) = (message.payload.len(), self.largest.load(Ordering::Relaxed));
        if size > most {
            return Err(AmqpError::TooLarge { target: target(message), size, most });
        }
        if message.head > self.frame {
            return Err(AmqpError::Headers { target: target(message), size: message.head, most: self.frame });
        }
        if self.is_blocked() { Err(AmqpError::Blocked) } else { Ok(()) }
    }
}

impl Session {
    /// Puts a new connection to use. Its tasks end with it.
    pub(crate) fn new(dialed: Dialed, number: Number, channels: u16, context: &Context) -> Self {
        let Dialed { connection, breaker } = dialed;
        let frame = usize::try_from(connection.configuration().frame_max()).unwrap_or(usize::MAX);
        let status = connection.status().clone();
        let limits = Limits { session: number, connection: status, frame, largest: usize::MAX.into() };
        let (connection, limits) = (Arc::new(connection), Arc::new(limits));
        let lanes = (0..channels)
            .map(|_| {
                let (lane, worker) = Lane::new(&connection, &limits);
                context.spawn(worker.run());
                lane
            })
            .collect();
        Self { connection, limits, lanes, next: AtomicUsize::new(0), alone: Semaphore::new(ALONE), breaker }
    }

    /// Whether the connection is still there.
    pub(crate) fn is_alive(&self) -> bool {
        self.connection.status().connected()
    }

    /// What happens to the connection. For one listener: each event is told once.
    pub(crate) fn events(&self) -> impl Stream<Item = Event> + Send + 'static {
        self.connection.events_listener()
    }

    /// Publishes a message and waits for what comes of it.
    ///
    /// A message that the broker refuses takes its channel along, and leaves the outcome of what else is under way there
    /// unknown. So what was never taken before goes on a channel of its own.
    pub(crate) async fn publish(&self, message: &Arc<Outgoing>, reply: bool) -> Outcome {
        self.limits.check(message)?;
        if !self.knows(message) {
            // Many may wait for the first one; once that was taken, they are known.
            let permit = self.alone.acquire().await;
            if permit.is_ok() && !self.knows(message) {
                self.limits.check(message)?;
                return solo::publish(&self.connection, &self.limits, message, permit, reply).await;
            }
        }
        self.lane().publish(message, reply).await
    }

    fn knows(&self, message: &Outgoing) -> bool {
        message.standing.is_known(self.limits.session, message.payload.len())
    }

    /// The next lane in turn that has room, else the next in turn.
    fn lane(&self) -> &Lane {
        let first = self.next.fetch_add(1, Ordering::Relaxed);
        let at = |offset: usize| &self.lanes[first.wrapping_add(offset) % self.lanes.len()];
        (0..self.lanes.len()).map(at).find(|lane| lane.has_room()).unwrap_or_else(|| at(0))
    }

    /// A channel for something beside messages.
    pub(crate) async fn channel(&self) -> Result<Channel, AmqpError> {
        let opened = timeout(PATIENCE, self.connection.create_channel()).await;
        opened.map_err(|_| silent())?.map_err(AmqpError::Channel)
    }

    /// Makes what the document declares.
    pub(crate) async fn make(&self, declare: &Declare) -> Result<(), AmqpError> {
        if declare.is_empty() {
            return Ok(());
        }
        let channel = self.channel().await?;
        match timeout(DECLARING, declare.make(&channel)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(AmqpError::Declared { why: error.to_string() }),
            Err(_) => Err(silent()),
        }
    }

    /// Asks the broker for a sign of life, and for these exchanges.
    pub(crate) async fn probe(&self, exchanges: &[String]) -> Result<(), AmqpError> {
        if self.limits.is_blocked() {
            return Err(AmqpError::Blocked);
        }
        let channel = self.channel().await?;
        for exchange in exchanges {
            let asked = timeout(PATIENCE, ask_for(&channel, exchange)).await.map_err(|_| silent())?;
            if let Err(error) = asked {
                let lapin::ErrorKind::ProtocolError(told) = error.kind() else {
                    return Err(AmqpError::Channel(error));
                };
                return Err(match told.get_id() {
                    404 => AmqpError::Missing { exchange: exchange.clone() },
                    _ => AmqpError::Refused { why: told.get_message().as_str().into() },
                });
            }
        }
        // The answer matters to nobody; the broker has shown that it lives.
        drop(timeout(PATIENCE, channel.close(200, key::short("OK"))).await);
        Ok(())
    }

    /// Says goodbye to the broker and lets the connection go.
    pub(crate) async fn close(&self) {
        drop(timeout(PATIENCE, self.connection.close(200, key::short("OK"))).await);
        self.cut();
    }

    /// Cuts the connection, so that the thread of the client library ends whatever the broker does.
    pub(crate) fn cut(&self) {
        // An error means that the connection is gone already.
        self.breaker.shutdown(Shutdown::Both).ok();
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.cut();
    }
}

/// Asks whether there is an exchange. The default one is always there and can't be asked for.
pub(crate) async fn ask_for(channel: &Channel, exchange: &str) -> lapin::Result<()> {
    if exchange.is_empty() {
        return Ok(());
    }
    let options = ExchangeDeclareOptions { passive: true, ..ExchangeDeclareOptions::default() };
    channel.exchange_declare(key::short(exchange), ExchangeKind::Direct, options, FieldTable::default()).await
}

fn silent() -> AmqpError {
    AmqpError::Disconnected { why: Some("the broker does not answer".into()) }
}
