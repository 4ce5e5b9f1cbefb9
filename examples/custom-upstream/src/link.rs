//! The connections to the server: made again for as long as the upstream lives.

use std::{sync::Arc, time::Duration};

use callgate_core::Context;
use redis::{AsyncConnectionConfig, Client, Cmd, FromRedisValue, RedisResult, aio::MultiplexedConnection};
use tokio::{
    sync::{Notify, watch},
    time::{sleep, timeout},
};

use crate::{config::Config, error::RedisError, function::Append, replies::Replies, shape};

/// How long a connection may take to be made, and how long a server may take to say that it is there.
const PATIENCE: Duration = Duration::from_secs(2);
/// How often it is asked.
const LOOK: Duration = Duration::from_secs(1);
/// Between two tries to connect.
const PAUSE: Duration = Duration::from_millis(100);
/// How many streams are asked for at a time.
const PAGE: usize = 500;

/// The connections. Clones share them.
#[derive(Debug, Clone)]
pub(crate) struct Link {
    state: watch::Sender<State>,
    /// A call found the connection broken.
    broken: Arc<Notify>,
    replies: Arc<Replies>,
}

#[derive(Clone)]
enum State {
    Connecting,
    Connected(MultiplexedConnection),
    Absent(Arc<str>),
    Closed,
}

/// Shows no connection: it knows the password.
impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Connecting => "Connecting",
            Self::Connected(_) => "Connected",
            Self::Absent(_) => "Absent",
            Self::Closed => "Closed",
        })
    }
}

impl Link {
    /// Begins to connect. A server that is not there is no error: it is looked for until it is.
    pub(crate) async fn open(config: &Config, context: &Context) -> Result<Self, RedisError> {
        let client = Client::open(config.connection()?).map_err(|error| RedisError::Settings(error.to_string()))?;
        let (state, mut seen) = watch::channel(State::Connecting);
        let link = Self { state, broken: Arc::default(), replies: Arc::new(Replies::new(context.name())) };
        context.spawn(link.clone().keep_connected(client));
        // Where the server is there, the first call finds it.
        timeout(PATIENCE, seen.wait_for(|state| !matches!(state, State::Connecting))).await.ok();
        Ok(link)
    }

    async fn keep_connected(self, client: Client) {
        loop {
            let why = match connect(&client).await {
                Ok((commands, blocking)) => {
                    if !self.put(State::Connected(commands.clone())) {
                        return;
                    }
                    tokio::select! {
                        why = self.look_after(commands) => why,
                        error = self.replies.follow(blocking) => error.to_string(),
                    }
                }
                Err(error) => error.to_string(),
            };
            self.replies.lose();
            if !self.put(State::Absent(why.into())) {
                return;
            }
            sleep(PAUSE).await;
        }
    }

    /// Whether the upstream is still open, and the state was changed.
    fn put(&self, state: State) -> bool {
        self.state.send_if_modified(|current| {
            let open = !matches!(current, State::Closed);
            if open {
                *current = state;
            }
            open
        })
    }

    /// Returns when the connection is of no use any more, with the reason.
    async fn look_after(&self, mut connection: MultiplexedConnection) -> String {
        loop {
            tokio::select! {
                () = self.broken.notified() => return "a call found the connection broken".to_owned(),
                () = sleep(LOOK) => {}
            }
            match timeout(PATIENCE, redis::cmd("PING").query_async::<String>(&mut connection)).await {
                Ok(Ok(_)) => {}
                Ok(Err(error)) => return error.to_string(),
                Err(_) => return "the server does not answer".to_owned(),
            }
        }
    }

    fn connection(&self) -> Result<MultiplexedConnection, RedisError> {
        let absent = |why: &str| RedisError::Disconnected { why: why.into() };
        match &*self.state.borrow() {
            State::Connected(connection) => Ok(connection.clone()),
            State::Connecting => Err(absent("it is being made")),
            State::Absent(why) => Err(RedisError::Disconnected { why: Arc::clone(why) }),
            State::Closed => Err(absent("the upstream is closed")),
        }
    }

    /// Asks by the shared connection; the server's refusals are told from a connection that is gone.
    async fn query<T: FromRedisValue>(&self, command: &Cmd) -> Result<RedisResult<T>, RedisError> {
        let asked = command.query_async(&mut self.connection()?).await;
        if let Some(error) = asked.as_ref().err().filter(|error: &&redis::RedisError| error.code().is_none()) {
            // At once, so that the next call is told for certain that nothing was done.
            self.put(State::Absent(error.to_string().into()));
            self.broken.notify_one();
        }
        Ok(asked)
    }

    /// Appends a message; gives the id of its entry.
    pub(crate) async fn append(&self, append: &Append, own: &[(&str, &str)]) -> Result<String, RedisError> {
        let stream = || append.stream.clone();
        match self.query::<Option<String>>(&shape::xadd(append, own)).await? {
            Ok(Some(entry)) => Ok(entry),
            Ok(None) => Err(RedisError::NoStream { stream: stream() }),
            // The command may have been sent, and its answer lost.
            Err(error) => Err(RedisError::of_server(format!("the message to `{}`", stream()), &error)
                .unwrap_or_else(|| RedisError::Unknown { stream: stream() })),
        }
    }

    /// The streams that are there, and how long they are; those of replies are nobody's functions.
    pub(crate) async fn streams(&self) -> Result<Vec<(String, u64)>, RedisError> {
        let refused = |error: redis::RedisError| {
            let why = error.to_string();
            RedisError::of_server("to list its streams", &error)
                .unwrap_or_else(|| RedisError::Disconnected { why: why.into() })
        };
        let (mut cursor, mut found) = ("0".to_owned(), Vec::new());
        loop {
            let mut scan = redis::cmd("SCAN");
            scan.arg(&cursor).arg("COUNT").arg(PAGE).arg("TYPE").arg("stream");
            let (next, names) = self.query::<(String, Vec<Vec<u8>>)>(&scan).await?.map_err(refused)?;
            for name in names.into_iter().filter_map(|name| String::from_utf8(name).ok()) {
                if !Replies::is_one(&name) {
                    let length = self.query(redis::cmd("XLEN").arg(&name)).await?.map_err(refused)?;
                    found.push((name, length));
                }
            }
            if next == "0" {
                return Ok(found);
            }
            cursor = next;
        }
    }

    /// Whether there is a connection.
    pub(crate) fn ready(&self) -> Result<(), RedisError> {
        self.connection().map(drop)
    }

    pub(crate) fn replies(&self) -> &Arc<Replies> {
        &self.replies
    }

    /// Takes the stream of replies away, and connects no more.
    pub(crate) async fn close(&self) {
        let gone = timeout(PATIENCE, self.query::<u64>(redis::cmd("DEL").arg(self.replies.stream()))).await;
        drop(gone);
        self.state.send_replace(State::Closed);
    }
}

/// One connection for all commands, and one that waits for replies, as waiting holds up whatever comes behind it.
async fn connect(client: &Client) -> RedisResult<(MultiplexedConnection, MultiplexedConnection)> {
    // How long a call may take is the core's to decide.
    let patient = || AsyncConnectionConfig::new().set_connection_timeout(Some(PATIENCE)).set_response_timeout(None);
    let commands = client.get_multiplexed_async_connection_with_config(&patient()).await?;
    let blocking = client.get_multiplexed_async_connection_with_config(&patient()).await?;
    Ok((commands, blocking))
}
