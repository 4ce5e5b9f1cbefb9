//! The other way round: entries of a stream invoke functions.

mod config;
mod group;
mod receipt;
mod session;

use std::{fmt, num::NonZeroU32, sync::Arc};

use callgate_core::{Context, Delivery, Trigger, UpstreamError, trigger::Message};
use http::Uri;
use redis::Client;
use tokio::sync::Mutex;

pub use config::TriggerConfig;
pub use receipt::Receipt;

use crate::{config::connection, error::RedisError, replies::Replies, shape};
use group::{Group, Taken};
use session::Session;

/// The source `redis` of triggers: a stream, as a member of a consumer group.
pub struct RedisTrigger {
    client: Client,
    group: Group,
    context: Context,
    current: Mutex<Option<Arc<Session>>>,
}

/// Shows no connection: it knows the password.
impl fmt::Debug for RedisTrigger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisTrigger").field("group", &self.group).finish_non_exhaustive()
    }
}

impl Trigger for RedisTrigger {
    const KIND: &'static str = "redis";
    const SUMMARY: &'static str = "entries of a Redis stream, at least once";

    type Config = TriggerConfig;
    type Receipt = Receipt;

    async fn connect(config: TriggerConfig, _: NonZeroU32, context: Context) -> Result<Self, UpstreamError> {
        let wrong = |told: String| UpstreamError::from(RedisError::Settings(told));
        let info = connection(&config.url, config.user.as_ref(), config.password.as_ref());
        let client = Client::open(info.map_err(|invalid| wrong(invalid.to_string()))?);
        let client = client.map_err(|error| wrong(error.to_string()))?;
        let group = Group { stream: config.stream, name: config.group, lease: config.lease.into() };
        Ok(Self { client, group, context, current: Mutex::default() })
    }

    async fn next(&self) -> Result<Delivery<Receipt>, UpstreamError> {
        let session = self.session().await?;
        match session.next().await {
            Some(taken) => Ok(delivery(session, taken)),
            None => {
                *self.current.lock().await = None;
                Err(session.why().into())
            }
        }
    }

    async fn ready(&self) -> Result<(), UpstreamError> {
        let current = self.current.lock().await.clone();
        match current {
            Some(session) => Ok(session.ping().await?),
            // Nothing was asked for yet.
            None => Ok(Session::open(&self.client, &self.group).await.map(drop)?),
        }
    }

    async fn stop(&self) {
        let current = self.current.lock().await.clone();
        if let Some(session) = current {
            session.stop().await;
        }
    }

    async fn close(&self) {
        self.stop().await;
        *self.current.lock().await = None;
    }
}

impl RedisTrigger {
    /// The connection, made now where there is none.
    async fn session(&self) -> Result<Arc<Session>, RedisError> {
        let mut current = self.current.lock().await;
        if let Some(session) = &*current {
            return Ok(Arc::clone(session));
        }
        let (session, reader) = Session::open(&self.client, &self.group).await?;
        self.context.spawn(reader.run());
        Ok(Arc::clone(current.insert(session)))
    }
}

fn delivery(session: Arc<Session>, taken: Taken) -> Delivery<Receipt> {
    let Taken { id, entry, attempt } = taken;
    // A reply goes to a stream of replies alone, whatever an entry says.
    let reply = shape::reply_to(&entry).filter(|(stream, _)| Replies::is_one(stream));
    let whole = shape::message(entry);
    let mut message = Message::new(session.stream(), whole.payload.clone());
    message.headers = whole.into_request(&shape::BINDING, Uri::default()).into_parts().0.headers;
    message.id = Some(format!("{}:{id}", session.stream()));
    message.attempt = attempt;
    message.wants_reply = reply.is_some();
    Delivery { message, receipt: Receipt { session, id, reply } }
}
