//! A message of NATS as the core knows messages: pure shaping, no connection.

use callgate_core::trigger::Message;
use http::Uri;

use super::acknowledgement::Acknowledgement;
use crate::shape::{self, BINDING};

/// The id by which a stream drops duplicates.
const ID: &str = "Nats-Msg-Id";

/// A message of a subject.
pub(super) fn of_subject(message: async_nats::Message) -> Message {
    let wants_reply = message.reply.is_some();
    let mut read = read(message);
    read.wants_reply = wants_reply;
    read
}

/// A message of a stream: without an id of its own it has its place in the stream.
pub(super) fn of_stream(message: async_nats::Message, acknowledgement: &Acknowledgement) -> Message {
    let mut read = read(message);
    read.id.get_or_insert_with(|| acknowledgement.id());
    read.attempt = acknowledgement.delivered;
    read
}

fn read(message: async_nats::Message) -> Message {
    let id = message.headers.as_ref().and_then(|headers| headers.get(ID)).map(|id| id.as_str().to_owned());
    let mut read = Message::new(message.subject.as_str(), message.payload.clone());
    let request =
        shape::message(message.headers.as_ref(), message.payload).into_request(&BINDING, Uri::from_static("/"));
    read.headers = request.into_parts().0.headers;
    read.id = id;
    read
}

#[cfg(test)]
mod tests {
    use async_nats::HeaderMap;

    use super::*;

    fn message(reply: Option<&str>) -> async_nats::Message {
        let mut headers = HeaderMap::new();
        headers.insert("Nats-Msg-Id", "m-1");
        headers.insert("X-Tenant", "acme");
        headers.insert("content-type", "text/plain");
        headers.insert("ce-id", "e-1");
        async_nats::Message {
            subject: "orders.new".into(),
            reply: reply.map(Into::into),
            payload: "data".into(),
            headers: Some(headers),
            status: None,
            description: None,
            length: 4,
        }
    }

    #[test]
    fn a_message_keeps_what_http_can_hold() {
        let read = of_subject(message(Some("_INBOX.1")));
        assert_eq!((&*read.subject, &*read.payload, read.attempt), ("orders.new", &b"data"[..], 1));
        assert_eq!((read.id.as_deref(), read.wants_reply), (Some("m-1"), true));
        assert_eq!(
            (&read.headers["x-tenant"], &read.headers["content-type"]),
            (&"acme".parse().unwrap(), &"text/plain".parse().unwrap())
        );
        assert!(read.headers.contains_key("ce-id") && !read.headers.contains_key("nats-msg-id"));
        assert!(!of_subject(message(None)).wants_reply);
    }

    #[test]
    fn a_streams_message_has_its_count_and_an_id() {
        let acknowledgement = Acknowledgement::read("$JS.ACK.ORDERS.work.3.17.20.1700000000.0").unwrap();
        let mut sent = message(Some("$JS.ACK"));
        sent.headers = None;
        let read = of_stream(sent, &acknowledgement);
        assert_eq!((read.attempt, read.id.as_deref(), read.wants_reply), (3, Some("ORDERS:17"), false));
    }
}
