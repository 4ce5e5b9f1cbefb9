//! What a gateway says to Redis about the entries of its consumer group.

use std::time::Duration;

use redis::{Cmd, FromRedisValue, aio::MultiplexedConnection};

use crate::{error::RedisError, shape::Entry};

/// How the gateway is called in its group. All have one name: an entry is another's as soon as its lease is over,
/// whoever had it.
const CONSUMER: &str = "callgate";
/// How long one question for new entries may wait, in milliseconds. What has to come again is looked for in between.
pub(super) const WAIT: u64 = 250;
/// How many entries that have to come again are looked at: other gateways look for the same ones.
const LOOKED_AT: u64 = 16;

/// A consumer group of a stream.
#[derive(Debug, Clone)]
pub(super) struct Group {
    pub(super) stream: String,
    pub(super) name: String,
    pub(super) lease: Duration,
}

/// An entry that is this gateway's for as long as the lease.
#[derive(Debug)]
pub(super) struct Taken {
    pub(super) id: String,
    pub(super) entry: Entry,
    /// How often it was delivered, this time included.
    pub(super) attempt: u32,
}

type Entries = Vec<(String, Option<Entry>)>;

impl Group {
    /// Makes the group, and its stream, where they are not there.
    pub(super) async fn make(&self, connection: &mut MultiplexedConnection) -> Result<(), RedisError> {
        let mut create = redis::cmd("XGROUP");
        create.arg("CREATE").arg(&self.stream).arg(&self.name).arg("0").arg("MKSTREAM");
        match create.query_async::<()>(connection).await {
            Err(error) if error.code() != Some("BUSYGROUP") => Err(self.failed("a consumer group", &error)),
            _ => Ok(()),
        }
    }

    /// Waits a moment for an entry that nobody had yet.
    pub(super) async fn read(&self, connection: &mut MultiplexedConnection) -> Result<Option<Taken>, RedisError> {
        let mut read = redis::cmd("XREADGROUP");
        read.arg("GROUP").arg(&self.name).arg(CONSUMER).arg("COUNT").arg(1).arg("BLOCK").arg(WAIT);
        read.arg("STREAMS").arg(&self.stream).arg(">");
        let found: Option<Vec<(String, Entries)>> = self.ask(connection, "to read entries", &read).await?;
        let entry = found.into_iter().flatten().next().and_then(|(_, entries)| entries.into_iter().next());
        Ok(entry.and_then(|(id, entry)| Some(Taken { id, entry: entry?, attempt: 1 })))
    }

    /// Takes an entry over that its gateway gave back, or of which it gave no sign for the time of the lease.
    pub(super) async fn claim(&self, connection: &mut MultiplexedConnection) -> Result<Option<Taken>, RedisError> {
        let mut pending = redis::cmd("XPENDING");
        pending.arg(&self.stream).arg(&self.name).arg("IDLE").arg(self.millis()).arg("-").arg("+").arg(LOOKED_AT);
        let pending: Vec<(String, String, u64, u32)> =
            self.ask(connection, "to tell what is pending", &pending).await?;
        for (id, _, _, count) in pending {
            let claimed: Entries =
                self.ask(connection, "to claim an entry", self.xclaim().arg(self.millis()).arg(&id)).await?;
            // Nothing where another gateway was faster, or somebody has deleted it.
            if let Some((id, Some(entry))) = claimed.into_iter().next() {
                return Ok(Some(Taken { id, entry, attempt: count.saturating_add(1) }));
            }
        }
        Ok(None)
    }

    /// Says that an entry is done with.
    pub(super) async fn acknowledge(&self, connection: &mut MultiplexedConnection, id: &str) -> Result<(), RedisError> {
        let mut ack = redis::cmd("XACK");
        ack.arg(&self.stream).arg(&self.name).arg(id);
        self.ask::<u64>(connection, "to acknowledge an entry", &ack).await.map(drop)
    }

    /// Sets for how long an entry is this gateway's still.
    pub(super) async fn keep(
        &self,
        connection: &mut MultiplexedConnection,
        id: &str,
        left: Duration,
    ) -> Result<(), RedisError> {
        let idle = millis(self.lease.saturating_sub(left));
        let mut claim = self.xclaim();
        claim.arg(0).arg(id).arg("IDLE").arg(idle).arg("JUSTID");
        self.ask::<Vec<String>>(connection, "to keep an entry", &claim).await.map(drop)
    }

    fn xclaim(&self) -> Cmd {
        let mut claim = redis::cmd("XCLAIM");
        claim.arg(&self.stream).arg(&self.name).arg(CONSUMER);
        claim
    }

    fn millis(&self) -> u64 {
        millis(self.lease)
    }

    async fn ask<T: FromRedisValue>(
        &self,
        connection: &mut MultiplexedConnection,
        what: &str,
        command: &Cmd,
    ) -> Result<T, RedisError> {
        command.query_async(connection).await.map_err(|error| self.failed(what, &error))
    }

    fn failed(&self, what: &str, error: &redis::RedisError) -> RedisError {
        RedisError::of_server(format!("{what} of `{}`", self.stream), error)
            .unwrap_or_else(|| RedisError::Disconnected { why: error.to_string().into() })
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
