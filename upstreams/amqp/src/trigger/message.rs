//! What came of a queue, as the core takes it.

use callgate_core::trigger::Message;
use http::Uri;
use lapin::{
    message::Delivery,
    types::{AMQPValue, FieldTable, ShortString},
};

use crate::shape;

/// How often a quorum queue has delivered the message before.
const COUNT: &str = "x-delivery-count";

pub(super) fn of(delivery: &Delivery) -> Message {
    let properties = &delivery.properties;
    let whole = shape::message(properties, delivery.data.clone());
    let mut message = Message::new(delivery.routing_key.as_str(), whole.payload.clone());
    message.headers = whole.into_request(&shape::BINDING, Uri::default()).into_parts().0.headers;
    message.id = properties.message_id().as_ref().map(ShortString::to_string);
    message.attempt = attempt(properties.headers().as_ref(), delivery.redelivered);
    message.wants_reply = properties.reply_to().is_some();
    message
}

/// Whether the queue counts, as far as this delivery shows: what came before has its count with it.
pub(super) fn is_counted(delivery: &Delivery) -> bool {
    shows_count(delivery.properties.headers().as_ref(), delivery.redelivered)
}

fn shows_count(headers: Option<&FieldTable>, redelivered: bool) -> bool {
    !redelivered || count(headers).is_some()
}

/// A queue that does not count says no more than that it has delivered the message before.
fn attempt(headers: Option<&FieldTable>, redelivered: bool) -> u32 {
    count(headers).unwrap_or(u32::from(redelivered)).saturating_add(1)
}

fn count(headers: Option<&FieldTable>) -> Option<u32> {
    match headers?.inner().get(COUNT)? {
        AMQPValue::LongLongInt(count) => u32::try_from(*count).ok(),
        AMQPValue::LongInt(count) => u32::try_from(*count).ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quorum_queue_counts_and_another_says_again() {
        let mut headers = FieldTable::default();
        assert_eq!(attempt(Some(&headers), false), 1);
        assert_eq!(attempt(None, true), 2);
        headers.insert(COUNT.into(), AMQPValue::LongLongInt(4));
        assert_eq!(attempt(Some(&headers), true), 5);
        headers.insert(COUNT.into(), AMQPValue::LongLongInt(-1));
        assert_eq!(attempt(Some(&headers), false), 1);
    }

    #[test]
    fn what_comes_again_without_a_count_is_not_counted() {
        let mut headers = FieldTable::default();
        assert!(shows_count(None, false));
        assert!(!shows_count(None, true) && !shows_count(Some(&headers), true));
        headers.insert(COUNT.into(), AMQPValue::LongLongInt(1));
        assert!(shows_count(Some(&headers), true));
    }
}
