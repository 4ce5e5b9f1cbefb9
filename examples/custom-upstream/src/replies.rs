//! The stream to which workers append their replies, and the calls that wait for them.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use callgate_core::RequestId;
use redis::{RedisError, aio::MultiplexedConnection};
use tokio::sync::oneshot;

use crate::shape::{self, Entry};

/// What the names of streams of replies begin with.
const PREFIX: &str = "callgate:replies:";
/// How long a stream of replies outlives its gateway, in seconds.
const OUTLIVES: u64 = 600;
/// How long one question for replies may wait, in milliseconds.
const WAIT: u64 = 5000;
/// How many replies are taken at a time.
const BATCH: u64 = 256;

/// The calls of one upstream that wait for replies.
#[derive(Debug)]
pub(crate) struct Replies {
    stream: String,
    calls: AtomicU64,
    waiting: Mutex<HashMap<u64, oneshot::Sender<Entry>>>,
    /// The last entry that was read.
    last: Mutex<String>,
}

/// A reply that is to come. Dropping it takes the call out of those that wait.
#[derive(Debug)]
pub(crate) struct Expected {
    replies: Arc<Replies>,
    call: u64,
    entry: oneshot::Receiver<Entry>,
}

/// Streams, their entries' ids, and their fields.
type Read = Option<Vec<(String, Vec<(String, Entry)>)>>;

impl Replies {
    /// Those of the upstream of this name, in a stream of this gateway's own.
    pub(crate) fn new(upstream: &str) -> Self {
        Self {
            stream: format!("{PREFIX}{upstream}:{}", RequestId::random()),
            calls: AtomicU64::default(),
            waiting: Mutex::default(),
            last: Mutex::new("0".to_owned()),
        }
    }

    /// Whether a stream is one of replies.
    pub(crate) fn is_one(stream: &str) -> bool {
        stream.starts_with(PREFIX)
    }

    /// The stream's name.
    pub(crate) fn stream(&self) -> &str {
        &self.stream
    }

    /// A call begins to wait.
    pub(crate) fn expect(self: &Arc<Self>) -> Expected {
        let call = self.calls.fetch_add(1, Ordering::Relaxed);
        let (sender, entry) = oneshot::channel();
        self.waiting().insert(call, sender);
        Expected { replies: Arc::clone(self), call, entry }
    }

    /// Hands replies to their calls until the connection breaks.
    pub(crate) async fn follow(&self, mut connection: MultiplexedConnection) -> RedisError {
        loop {
            if let Err(error) = self.take(&mut connection).await {
                return error;
            }
        }
    }

    async fn take(&self, connection: &mut MultiplexedConnection) -> Result<(), RedisError> {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let mut read = redis::cmd("XREAD");
        read.arg("COUNT").arg(BATCH).arg("BLOCK").arg(WAIT).arg("STREAMS").arg(&self.stream).arg(last);
        let found: Read = read.query_async(connection).await?;
        let Some((_, entries)) = found.into_iter().flatten().next() else { return Ok(()) };
        let Some((newest, _)) = entries.last() else { return Ok(()) };
        newest.clone_into(&mut self.last.lock().unwrap_or_else(PoisonError::into_inner));
        // What was read goes, and the rest too when this gateway is gone.
        redis::pipe()
            .cmd("XTRIM")
            .arg(&self.stream)
            .arg("MINID")
            .arg(newest)
            .ignore()
            .cmd("EXPIRE")
            .arg(&self.stream)
            .arg(OUTLIVES)
            .ignore()
            .query_async::<()>(connection)
            .await?;
        for (_, entry) in entries {
            let waiting = shape::call_of(&entry).and_then(|call| self.waiting().remove(&call));
            if let Some(sender) = waiting {
                // Who waited may have gone this moment.
                sender.send(entry).ok();
            }
        }
        Ok(())
    }

    /// The connection broke: what was asked by it has an unknown end.
    pub(crate) fn lose(&self) {
        self.waiting().clear();
    }

    fn waiting(&self) -> std::sync::MutexGuard<'_, HashMap<u64, oneshot::Sender<Entry>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Expected {
    /// The number by which the reply is told from others.
    pub(crate) fn call(&self) -> u64 {
        self.call
    }

    /// Waits for the reply; `None` when the connection broke.
    pub(crate) async fn entry(mut self) -> Option<Entry> {
        (&mut self.entry).await.ok()
    }
}

impl Drop for Expected {
    fn drop(&mut self) {
        self.replies.waiting().remove(&self.call);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_dropped_call_waits_no_more_and_a_lost_connection_ends_the_others() {
        let replies = Arc::new(Replies::new("events"));
        let (first, second) = (replies.expect(), replies.expect());
        assert_ne!(first.call(), second.call());
        drop(first);
        assert_eq!(replies.waiting().len(), 1);
        replies.lose();
        assert_eq!(second.entry().await, None);
        assert!(Replies::is_one(replies.stream()) && !Replies::is_one("orders"));
    }
}
