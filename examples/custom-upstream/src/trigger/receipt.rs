//! The way to settle an entry.

use std::{fmt, sync::Arc, time::Duration};

use callgate_core::{Redelivery, UpstreamError, trigger::Reply};

use super::session::Session;
use crate::{error::RedisError, shape};

/// The way to settle an entry of a stream.
pub struct Receipt {
    pub(super) session: Arc<Session>,
    pub(super) id: String,
    /// The stream that waits for a reply, and what it has to bring back.
    pub(super) reply: Option<(String, String)>,
}

/// Shows no connection: it knows the password.
impl fmt::Debug for Receipt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receipt").field("id", &self.id).field("reply", &self.reply).finish_non_exhaustive()
    }
}

impl callgate_core::Receipt for Receipt {
    /// Redis counts, and has it until another may claim it.
    fn redelivery(&self) -> Redelivery {
        Redelivery::Delayed
    }

    async fn ack(self) -> Result<(), UpstreamError> {
        Ok(self.session.acknowledge(&self.id).await?)
    }

    async fn retry(self, delay: Duration) -> Result<(), UpstreamError> {
        Ok(self.session.give_back_in(&self.id, delay).await?)
    }

    async fn give_back(self) -> Result<(), UpstreamError> {
        Ok(self.session.give_back(&self.id).await?)
    }

    fn lease(&self) -> Option<Duration> {
        Some(self.session.lease())
    }

    async fn renew(&self) -> Result<(), UpstreamError> {
        Ok(self.session.renew(&self.id).await?)
    }

    async fn reply(&self, reply: &Reply) -> Result<(), UpstreamError> {
        let Some((stream, call)) = &self.reply else { return Ok(()) };
        let sent = shape::reply(stream, call, reply).query_async::<String>(&mut self.session.commands()).await;
        sent.map(drop).map_err(|error| {
            let lost = || RedisError::Disconnected { why: error.to_string().into() };
            RedisError::of_server(format!("the reply to `{stream}`"), &error).unwrap_or_else(lost).into()
        })
    }
}
