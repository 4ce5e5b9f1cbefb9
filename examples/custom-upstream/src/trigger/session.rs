//! The connections of a source, and the task that takes entries by them.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use redis::{AsyncConnectionConfig, Client, aio::MultiplexedConnection};
use tokio::{
    sync::{mpsc, watch},
    time::Instant,
};

use super::group::{Group, Taken, WAIT};
use crate::error::RedisError;

/// How long a connection may take to be made, and how long a server may take to answer.
const PATIENCE: Duration = Duration::from_secs(2);
/// How often it is looked for entries that have to come again.
const LOOK: Duration = Duration::from_millis(250);

/// A connection by which entries come and are settled.
pub(super) struct Session {
    group: Group,
    commands: MultiplexedConnection,
    /// Those that were taken and not handed out. One waits here at most, and one in the task.
    entries: tokio::sync::Mutex<mpsc::Receiver<(Taken, Instant)>>,
    stop: watch::Sender<bool>,
    /// Why no more come.
    why: Mutex<Option<RedisError>>,
}

/// What takes entries, until it is to stop or the connection breaks.
pub(super) struct Reader {
    session: Arc<Session>,
    blocking: MultiplexedConnection,
    entries: mpsc::Sender<(Taken, Instant)>,
    stop: watch::Receiver<bool>,
}

impl Session {
    /// Connects once.
    pub(super) async fn open(client: &Client, group: &Group) -> Result<(Arc<Self>, Reader), RedisError> {
        let connect = async |patience| {
            let patient = AsyncConnectionConfig::new()
                .set_connection_timeout(Some(PATIENCE))
                .set_response_timeout(Some(patience));
            client.get_multiplexed_async_connection_with_config(&patient).await.map_err(|error| {
                RedisError::of_server("the connection", &error)
                    .unwrap_or_else(|| RedisError::Disconnected { why: error.to_string().into() })
            })
        };
        let mut commands = connect(PATIENCE).await?;
        // Waiting holds up whatever comes behind it.
        let blocking = connect(PATIENCE + Duration::from_millis(WAIT)).await?;
        group.make(&mut commands).await?;
        let ((sender, entries), (stop, stopped)) = (mpsc::channel(1), watch::channel(false));
        let (group, entries, why) = (group.clone(), tokio::sync::Mutex::new(entries), Mutex::default());
        let session = Arc::new(Self { group, commands, entries, stop, why });
        let reader = Reader { session: Arc::clone(&session), blocking, entries: sender, stop: stopped };
        Ok((session, reader))
    }

    /// The next entry; none when no more come. It may be dropped at any await.
    pub(super) async fn next(&self) -> Option<Taken> {
        let mut entries = self.entries.lock().await;
        while let Some((taken, at)) = entries.recv().await {
            // After a long wait for a place another gateway may have it soon: it comes again by itself.
            if at.elapsed() < self.group.lease / 2 {
                return Some(taken);
            }
        }
        None
    }

    /// Why no more come.
    pub(super) fn why(&self) -> RedisError {
        let why = self.why.lock().unwrap_or_else(PoisonError::into_inner).take();
        why.unwrap_or_else(|| RedisError::Disconnected { why: "the source was stopped".into() })
    }

    /// Takes no more, and gives back what was not handed out.
    pub(super) async fn stop(&self) {
        self.stop.send_replace(true);
        while let Some(taken) = self.next().await {
            // What can't be given back comes again when its lease is over.
            drop(self.give_back(&taken.id).await);
        }
    }

    pub(super) async fn ping(&self) -> Result<(), RedisError> {
        let asked = redis::cmd("PING").query_async::<String>(&mut self.commands()).await;
        asked.map(drop).map_err(|error| RedisError::Disconnected { why: error.to_string().into() })
    }

    pub(super) async fn acknowledge(&self, id: &str) -> Result<(), RedisError> {
        self.group.acknowledge(&mut self.commands(), id).await
    }

    pub(super) async fn give_back(&self, id: &str) -> Result<(), RedisError> {
        self.give_back_in(id, Duration::ZERO).await
    }

    /// Whoever looks after the delay has it, which is the lease at most.
    pub(super) async fn give_back_in(&self, id: &str, delay: Duration) -> Result<(), RedisError> {
        self.group.keep(&mut self.commands(), id, delay).await
    }

    pub(super) async fn renew(&self, id: &str) -> Result<(), RedisError> {
        self.give_back_in(id, self.lease()).await
    }

    pub(super) fn lease(&self) -> Duration {
        self.group.lease
    }

    pub(super) fn stream(&self) -> &str {
        &self.group.stream
    }

    /// The connection for commands; clones share it.
    pub(super) fn commands(&self) -> MultiplexedConnection {
        self.commands.clone()
    }
}

impl Reader {
    pub(super) async fn run(mut self) {
        if let Err(error) = self.take().await {
            *self.session.why.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
        }
    }

    async fn take(&mut self) -> Result<(), RedisError> {
        let (mut commands, mut looked) = (self.session.commands(), None::<Instant>);
        // A read is never dropped: Redis would have delivered an entry that nobody saw.
        while !*self.stop.borrow() {
            let due = looked.is_none_or(|looked| looked.elapsed() >= LOOK);
            let taken = if due { self.session.group.claim(&mut commands).await? } else { None };
            let taken = match taken {
                Some(taken) => taken,
                None => {
                    if due {
                        looked = Some(Instant::now());
                    }
                    match self.session.group.read(&mut self.blocking).await? {
                        Some(taken) => taken,
                        None => continue,
                    }
                }
            };
            if self.entries.send((taken, Instant::now())).await.is_err() {
                break;
            }
        }
        Ok(())
    }
}
