//! Buckets of the key-value store of JetStream, as documents are read from and watched in. No upstream: who uses it keeps
//! what it read.

mod connection;
mod error;

use std::{collections::BTreeMap, future::Future, time::Duration};

use async_nats::{
    Client,
    connection::State,
    jetstream::{
        self,
        context::{GetStreamError, GetStreamErrorKind},
        kv::{Operation, Store, Watch},
        stream::Stream,
    },
};
use callgate_core::Context;
use futures_util::StreamExt;
use tokio::{sync::watch, time::timeout};

pub use connection::Connection;
pub use error::{BucketError, SettingsError};

use crate::{config::Config, error::NatsError, link};

/// How long the server may take for one answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// The most keys that are read.
const MOST_KEYS: usize = 4096;
/// The most bytes of all values that are read.
const MOST_BYTES: usize = 32 << 20;

/// A bucket, and a connection that heals by itself for ever.
#[derive(Debug)]
pub struct Bucket {
    client: Client,
    name: String,
    connection: watch::Receiver<Connection>,
}

/// Which state of a bucket it is. Another number is another state; it grows, unless the bucket is made anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Revision {
    /// The revision of what was put, or deleted, last.
    pub number: u64,
    /// When the bucket was made, in nanoseconds since 1970.
    made: i128,
}

/// What is in a bucket.
#[derive(Clone, PartialEq, Eq)]
pub struct Contents {
    /// The bucket had at least this revision when it was read.
    pub revision: Revision,
    /// The keys, and the latest value of each.
    pub values: BTreeMap<String, Vec<u8>>,
}

impl Bucket {
    /// Connects once, to any of the servers; from then on the connection is made again whenever it is lost.
    ///
    /// # Errors
    /// When none can be reached in the settings' `connect_timeout`, or the server refuses the credentials.
    pub async fn connect(config: &Config, bucket: &str, context: &Context) -> Result<Self, BucketError> {
        let addresses = config.addresses().map_err(|flaw| NatsError::Settings(flaw.message))?;
        let (known, connection) = watch::channel(Connection::default());
        let options = link::identified(async_nats::ConnectOptions::new(), config, context).await?;
        let options = link::secured(options, config, context)
            .name(config.name.as_deref().unwrap_or("callgate"))
            .custom_inbox_prefix(config.inbox_prefix())
            .connection_timeout(config.connect_timeout())
            .max_reconnects(None)
            .reconnect_delay_callback(link::pause)
            .event_callback(move |event| {
                connection::hear(&event, &known);
                std::future::ready(())
            });
        let client = options.connect(addresses).await.map_err(BucketError::Connect)?;
        Ok(Self { client, name: bucket.to_owned(), connection })
    }

    /// The bucket's state. For those who want to know whether it is another.
    ///
    /// # Errors
    /// When the bucket is not there, or can't be asked.
    pub async fn revision(&self) -> Result<Revision, BucketError> {
        self.asked(async { Ok(Revision::of(&self.stream().await?)) }).await
    }

    /// All keys and their latest values, from one moment.
    ///
    /// # Errors
    /// When the bucket is not there or can't be read, or holds more than 4,096 keys or 32 MiB.
    pub async fn read(&self) -> Result<Contents, BucketError> {
        self.asked(async {
            let (store, stream) = self.store().await?;
            let revision = Revision::of(&stream);
            let mut values = BTreeMap::new();
            if stream.cached_info().state.messages == 0 {
                return Ok(Contents { revision, values });
            }
            let mut entries = store.watch_with_history(">").await.map_err(BucketError::watch)?;
            let mut bytes = 0;
            while let Some(entry) = entries.next().await {
                let entry = entry.map_err(BucketError::watch)?;
                if entry.operation == Operation::Put {
                    bytes += entry.key.len() + entry.value.len();
                    values.insert(entry.key, entry.value.to_vec());
                }
                if values.len() > MOST_KEYS || bytes > MOST_BYTES {
                    return Err(BucketError::TooLarge { revision });
                }
                if entry.seen_current {
                    return Ok(Contents { revision, values });
                }
            }
            Err(BucketError::Lost)
        })
        .await
    }

    /// Watches the bucket from now on.
    ///
    /// # Errors
    /// When the bucket is not there, or can't be watched.
    pub async fn watch(&self) -> Result<Changes, BucketError> {
        let connection = self.connection();
        let entries = self.asked(async {
            let (store, _) = self.store().await?;
            store.watch_all().await.map_err(BucketError::watch)
        });
        Ok(Changes { entries: entries.await?, connection })
    }

    /// How the connection is.
    #[must_use]
    pub fn connection(&self) -> watch::Receiver<Connection> {
        let mut connection = self.connection.clone();
        connection.mark_unchanged();
        connection
    }

    /// Gives up when the connection is lost, the server refuses what is asked, or does not answer in time.
    async fn asked<T>(&self, asking: impl Future<Output = Result<T, BucketError>>) -> Result<T, BucketError> {
        let mut connection = self.connection.clone();
        let denials = connection.borrow().denials();
        if self.client.connection_state() != State::Connected {
            return Err(BucketError::Disconnected { why: connection.borrow().failure().map(str::to_owned) });
        }
        let denied = connection.wait_for(|known| known.denials() != denials);
        tokio::select! {
            asked = timeout(PATIENCE, asking) => asked.unwrap_or(Err(BucketError::Late)),
            Ok(known) = denied => Err(BucketError::Denied { what: known.denied().to_owned() }),
        }
    }

    fn jetstream(&self) -> jetstream::Context {
        jetstream::new(self.client.clone())
    }

    async fn stream(&self) -> Result<Stream, BucketError> {
        let found = self.jetstream().get_stream(format!("KV_{}", self.name)).await;
        found.map_err(|error| self.not_found(error))
    }

    async fn store(&self) -> Result<(Store, Stream), BucketError> {
        let stream = self.stream().await?;
        let store = self.jetstream().get_key_value(self.name.as_str()).await;
        Ok((store.map_err(|source| BucketError::NotOne { bucket: self.name.clone(), source })?, stream))
    }

    fn not_found(&self, error: GetStreamError) -> BucketError {
        match error.kind() {
            GetStreamErrorKind::JetStream(told) if told.error_code() == jetstream::ErrorCode::STREAM_NOT_FOUND => {
                BucketError::Missing { bucket: self.name.clone() }
            }
            _ => BucketError::Unanswered(error),
        }
    }
}

impl Revision {
    fn of(stream: &Stream) -> Self {
        let info = stream.cached_info();
        Self { number: info.state.last_sequence, made: info.created.unix_timestamp_nanos() }
    }
}

/// What happens to a bucket.
pub struct Changes {
    entries: Watch,
    connection: watch::Receiver<Connection>,
}

impl Changes {
    /// Waits until something was put or deleted, or may have been: the connection was lost and is there again.
    ///
    /// # Errors
    /// When nothing will be told any more: watch anew.
    pub async fn next(&mut self) -> Result<(), BucketError> {
        let since = self.connection.borrow().connects();
        tokio::select! {
            entry = self.entries.next() => match entry {
                Some(entry) => entry.map(drop).map_err(BucketError::watch),
                None => Err(BucketError::Lost),
            },
            Ok(_) = self.connection.wait_for(|known| known.connects() != since) => Ok(()),
        }
    }
}

impl std::fmt::Debug for Changes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Changes").field("connection", &self.connection).finish_non_exhaustive()
    }
}

/// Shows no value: it may hold a secret.
impl std::fmt::Debug for Contents {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Contents").field("revision", &self.revision).field("keys", &self.values.keys()).finish()
    }
}
