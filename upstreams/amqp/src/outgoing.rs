//! A message on its way to the broker.

use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicU8, Ordering},
};

use bytes::Bytes;
use lapin::{
    BasicProperties, Channel, Confirmation, message::BasicReturnMessage, options::BasicPublishOptions,
    types::ShortString,
};

use crate::{
    function::{DIRECT_REPLY, Function},
    shape::Head,
    standing::Standing,
};

/// What is published, and how far it has come.
#[derive(Debug)]
pub(crate) struct Outgoing {
    pub(crate) exchange: ShortString,
    pub(crate) routing_key: ShortString,
    /// Until it's published: they are large, and the client library keeps them.
    properties: Mutex<BasicProperties>,
    message_id: Option<ShortString>,
    correlation_id: Option<ShortString>,
    pub(crate) payload: Bytes,
    /// How many bytes its properties take, at most.
    pub(crate) head: usize,
    pub(crate) standing: Arc<Standing>,
    mandatory: bool,
    stage: AtomicU8,
}

const WAITING: u8 = 0;
const HANDED_OVER: u8 = 1;
const WITHDRAWN: u8 = 2;

impl Outgoing {
    pub(crate) fn new(function: &Function, routing_key: ShortString, head: Head, payload: Bytes) -> Self {
        Self::to(function.exchange.clone(), routing_key, head, payload, &function.standing, function.mandatory())
    }

    /// A reply to a queue, which may be gone by now: nobody waits there then.
    pub(crate) fn reply(queue: ShortString, head: Head, payload: Bytes, standing: &Arc<Standing>) -> Self {
        Self::to(ShortString::default(), queue, head, payload, standing, false)
    }

    fn to(
        exchange: ShortString,
        routing_key: ShortString,
        head: Head,
        payload: Bytes,
        standing: &Arc<Standing>,
        mandatory: bool,
    ) -> Self {
        let (properties, head) = head.into_parts();
        Self {
            exchange,
            routing_key,
            message_id: properties.message_id().clone(),
            correlation_id: properties.correlation_id().clone(),
            properties: Mutex::new(properties),
            payload,
            head,
            standing: Arc::clone(standing),
            mandatory,
            stage: AtomicU8::new(WAITING),
        }
    }

    /// Publishes it on a channel and waits for the broker's confirm. Once only, after it was handed over.
    pub(crate) async fn publish(&self, channel: &Channel) -> lapin::Result<Confirmation> {
        let options = BasicPublishOptions { mandatory: self.mandatory, ..BasicPublishOptions::default() };
        let (exchange, routing_key) = (self.exchange.clone(), self.routing_key.clone());
        let properties = std::mem::take(&mut *self.properties());
        channel.basic_publish(exchange, routing_key, options, &self.payload, properties).await?.await
    }

    /// Marks it as handed over to the connection: from now on the broker may have it. Not if it was withdrawn.
    pub(crate) fn hand_over(&self) -> bool {
        self.stage.compare_exchange(WAITING, HANDED_OVER, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }

    /// Takes it back, if it was not handed over: then the broker surely has not got it.
    pub(crate) fn withdraw(&self) -> bool {
        self.stage.compare_exchange(WAITING, WITHDRAWN, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }

    /// Whether this is the message that the broker returned. The broker may have added headers, and names the place for
    /// replies otherwise, so only what it leaves alone is looked at.
    pub(crate) fn is(&self, returned: &BasicReturnMessage) -> bool {
        let delivery = &returned.delivery;
        self.message_id == *delivery.properties.message_id()
            && self.correlation_id == *delivery.properties.correlation_id()
            && self.routing_key == delivery.routing_key
            && self.exchange == delivery.exchange
            && self.payload == delivery.data
    }

    /// The id by which a reply finds its request.
    pub(crate) fn correlation_id(&self) -> &str {
        self.correlation_id.as_ref().map_or("", ShortString::as_str)
    }

    fn properties(&self) -> MutexGuard<'_, BasicProperties> {
        self.properties.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What stands beside the headers, for previews.
    pub(crate) fn described(&self) -> Vec<(&'static str, String)> {
        let short = |text: &Option<ShortString>| text.as_ref().map(ToString::to_string);
        let properties = self.properties();
        // A request's id is of chance, by which the gateway finds its reply.
        let is_request = properties.reply_to().as_ref().is_some_and(|queue| queue.as_str() == DIRECT_REPLY);
        let exchange = Some(self.exchange.to_string()).filter(|exchange| !exchange.is_empty());
        let all = [
            ("exchange", exchange),
            ("routing_key", Some(self.routing_key.to_string())),
            ("mandatory", Some(self.mandatory.to_string())),
            ("delivery_mode", properties.delivery_mode().map(|mode| mode.to_string())),
            ("priority", properties.priority().map(|priority| priority.to_string())),
            ("expiration", short(properties.expiration())),
            ("message_id", short(properties.message_id())),
            ("correlation_id", short(properties.correlation_id()).filter(|_| !is_request)),
            ("reply_to", short(properties.reply_to())),
            ("type", short(properties.kind())),
            ("app_id", short(properties.app_id())),
        ];
        all.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
    }
}

/// Where a message goes, for errors.
pub(crate) fn target(message: &Outgoing) -> String {
    match message.exchange.as_str() {
        "" => format!("the queue `{}`", message.routing_key),
        exchange => format!("`{}` of the exchange `{exchange}`", message.routing_key),
    }
}
