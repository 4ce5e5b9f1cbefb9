//! Settles messages.

use std::{sync::Arc, time::Duration};

use callgate_core::{Redelivery, UpstreamError, trigger::Reply};
use callgate_message::Message;
use http::Response;
use lapin::{
    Acker,
    message::Delivery,
    options::{BasicAckOptions, BasicNackOptions},
    types::ShortString,
};
use tokio::time::timeout;

use super::consumption::Consumption;
use crate::{
    error::AmqpError,
    outgoing::Outgoing,
    response::STATUS,
    shape::{self, Head},
};

/// How long a word to the broker may take. A connection that it blocks takes none.
const PATIENCE: Duration = Duration::from_secs(10);

/// The way to settle a message of a queue.
#[derive(Debug)]
pub struct Receipt {
    consumption: Arc<Consumption>,
    acker: Acker,
    /// Where the sender waits, and for which reply.
    reply: Option<(ShortString, Option<ShortString>)>,
    counts: bool,
}

impl Receipt {
    pub(super) fn new(consumption: &Arc<Consumption>, delivery: Delivery, counts: bool) -> Self {
        let properties = &delivery.properties;
        let reply = properties.reply_to().clone().map(|queue| (queue, properties.correlation_id().clone()));
        Self { consumption: Arc::clone(consumption), acker: delivery.acker, reply, counts }
    }
}

/// Waits until a word to the broker is on its way.
async fn told(word: impl Future<Output = lapin::Result<bool>>) -> Result<(), UpstreamError> {
    let why = match timeout(PATIENCE, word).await {
        Ok(Ok(true)) => return Ok(()),
        Ok(Ok(false)) => "the channel on which it came is gone".to_owned(),
        Ok(Err(error)) => error.to_string(),
        Err(_) => "the broker does not take it".to_owned(),
    };
    Err(AmqpError::Unsettled { why }.into())
}

impl callgate_core::Receipt for Receipt {
    fn redelivery(&self) -> Redelivery {
        if self.counts { Redelivery::Counted } else { Redelivery::Uncounted }
    }

    /// What was delivered over a channel that is gone is in the queue again.
    fn is_void(&self) -> bool {
        !self.acker.usable()
    }

    async fn ack(self) -> Result<(), UpstreamError> {
        told(self.acker.ack(BasicAckOptions::default())).await
    }

    async fn give_back(self) -> Result<(), UpstreamError> {
        told(self.acker.nack(BasicNackOptions { requeue: true, ..BasicNackOptions::default() })).await
    }

    async fn reply(&self, reply: &Reply) -> Result<(), UpstreamError> {
        let Some((queue, correlation_id)) = &self.reply else { return Ok(()) };
        let mut response = Response::new(());
        *response.headers_mut() = reply.headers.clone();
        let head = response.into_parts().0;
        let mut message = Message::of_response(&shape::BINDING, &head, reply.body.clone());
        message.headers.push((STATUS.to_owned(), reply.status.as_u16().to_string()));
        let Message { headers, content_type, content_encoding, payload } = message;
        let mut head = Head::new(content_type, content_encoding)?;
        head.headers(headers)?;
        if let Some(id) = correlation_id {
            head.set(|properties| properties.with_correlation_id(id.clone()));
        }
        let message = Arc::new(Outgoing::reply(queue.clone(), head, payload, &self.consumption.replies));
        let sent = timeout(PATIENCE, self.consumption.session.publish(&message, false)).await;
        sent.map_err(|_| AmqpError::Unsettled { why: "the broker does not take it".to_owned() })??;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::future::ready;

    use super::*;

    #[tokio::test]
    async fn what_a_dead_channel_does_not_take_is_no_success() {
        assert!(told(ready(Ok(true))).await.is_ok());
        let error = told(ready(Ok(false))).await.unwrap_err();
        assert!(error.to_string().contains("channel"), "{error}");
    }
}
