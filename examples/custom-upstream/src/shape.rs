//! Messages as entries of streams, and back: pure shaping, no connection.

use bytes::Bytes;
use callgate_core::{Body, Response, trigger::Reply};
use callgate_message::{Binding, Message};
use http::StatusCode;
use redis::Cmd;

use crate::{error::RedisError, function::Append};

/// What an entry's own fields are called; no header passes under such a name.
pub(crate) const BINDING: Binding = Binding {
    attributes: "ce-",
    also_understood: &[],
    escapes_attributes: false,
    repeats_content_type: false,
    reserved: &[PAYLOAD, "callgate-"],
};

const PAYLOAD: &str = "payload";
/// The stream to which the reply goes.
pub(crate) const REPLY_TO: &str = "callgate-reply-to";
/// What the reply has to bring back.
pub(crate) const CALL: &str = "callgate-call";
/// The status that a reply chooses.
const STATUS: &str = "callgate-status";

const CONTENT_TYPE: &str = "content-type";
const CONTENT_ENCODING: &str = "content-encoding";

/// The fields of an entry, in their order.
pub(crate) type Entry = Vec<(String, Vec<u8>)>;

/// The command that appends a message, with the `own` fields of the kind.
pub(crate) fn xadd(append: &Append, own: &[(&str, &str)]) -> Cmd {
    let Append { stream, create, max_length, message } = append;
    let mut command = redis::cmd("XADD");
    command.arg(stream);
    if !create {
        command.arg("NOMKSTREAM");
    }
    if let Some(most) = max_length {
        command.arg("MAXLEN").arg("~").arg(*most);
    }
    command.arg("*");
    for (name, value) in own {
        command.arg(*name).arg(*value);
    }
    for (name, value) in [(CONTENT_TYPE, &message.content_type), (CONTENT_ENCODING, &message.content_encoding)] {
        if let Some(value) = value {
            command.arg(name).arg(value);
        }
    }
    for (name, value) in &message.headers {
        command.arg(name).arg(value);
    }
    command.arg(PAYLOAD).arg(&message.payload[..]);
    command
}

/// The number of the call that an entry answers.
pub(crate) fn call_of(entry: &Entry) -> Option<u64> {
    text(entry, CALL)?.parse().ok()
}

/// The response for an entry that answers a request.
pub(crate) fn response(entry: Entry) -> Result<Response, RedisError> {
    let status = text(&entry, STATUS).map_or(Ok(StatusCode::OK), |status| {
        let valid = status.parse().ok().filter(|status| (200..600).contains(status));
        let valid = valid.and_then(|status: u16| StatusCode::from_u16(status).ok());
        valid.ok_or_else(|| RedisError::Status { status: status.to_owned() })
    })?;
    Ok(message(entry).into_response(&BINDING, status).map(Body::from))
}

/// The message that an entry holds.
pub(crate) fn message(entry: Entry) -> Message {
    let mut message = Message::default();
    for (name, value) in entry {
        if name == PAYLOAD {
            message.payload = Bytes::from(value);
            continue;
        }
        let value = String::from_utf8_lossy(&value).into_owned();
        match name.as_str() {
            CONTENT_TYPE => message.content_type = Some(value),
            CONTENT_ENCODING => message.content_encoding = Some(value),
            _ => message.headers.push((name, value)),
        }
    }
    message
}

/// Where the reply to an entry goes, and what it has to bring back.
pub(crate) fn reply_to(entry: &Entry) -> Option<(String, String)> {
    Some((text(entry, REPLY_TO)?.to_owned(), text(entry, CALL)?.to_owned()))
}

/// The command that appends a reply with what it has to bring back.
pub(crate) fn reply(stream: &str, call: &str, reply: &Reply) -> Cmd {
    let mut head = http::Response::new(());
    *head.headers_mut() = reply.headers.clone();
    let message = Message::of_response(&BINDING, &head.into_parts().0, reply.body.clone());
    let append = Append { stream: stream.to_owned(), create: true, max_length: None, message };
    xadd(&append, &[(CALL, call), (STATUS, reply.status.as_str())])
}

fn text<'a>(entry: &'a Entry, name: &str) -> Option<&'a str> {
    let (_, value) = entry.iter().find(|(known, _)| known == name)?;
    std::str::from_utf8(value).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(fields: &[(&str, &str)]) -> Entry {
        fields.iter().map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec())).collect()
    }

    fn append(create: bool, max_length: Option<u64>) -> Append {
        let message = Message {
            headers: vec![("x-tenant".to_owned(), "acme".to_owned())],
            content_type: Some("text/plain".to_owned()),
            payload: Bytes::from_static(b"one coffee"),
            ..Message::default()
        };
        Append { stream: "orders".to_owned(), create, max_length, message }
    }

    fn words(command: &Cmd) -> Vec<String> {
        let words = command.args_iter().map(|word| match word {
            redis::Arg::Simple(bytes) => String::from_utf8_lossy(bytes).into_owned(),
            _ => "cursor".to_owned(),
        });
        words.collect()
    }

    #[test]
    fn a_message_is_appended_with_its_headers_as_fields() {
        let fields = ["content-type", "text/plain", "x-tenant", "acme", "payload", "one coffee"];
        assert_eq!(words(&xadd(&append(true, None), &[])), [&["XADD", "orders", "*"][..], &fields].concat());
        let bounded = words(&xadd(&append(false, Some(100)), &[(CALL, "7")]));
        let head = ["XADD", "orders", "NOMKSTREAM", "MAXLEN", "~", "100", "*", "callgate-call", "7"];
        assert_eq!(bounded, [&head[..], &fields].concat());
    }

    #[test]
    fn an_entry_that_answers_becomes_a_response() {
        let reply = entry(&[
            (CALL, "7"),
            (STATUS, "404"),
            ("content-type", "application/json"),
            ("x-kind", "k"),
            ("connection", "close"),
            (PAYLOAD, "{}"),
        ]);
        assert_eq!(call_of(&reply), Some(7));
        let response = response(reply).unwrap();
        assert_eq!((response.status(), response.body().as_bytes()), (StatusCode::NOT_FOUND, Some(&b"{}"[..])));
        let mut names: Vec<_> = response.headers().keys().map(|name| name.as_str()).collect();
        names.sort_unstable();
        assert_eq!(names, ["content-type", "x-kind"]);
    }

    #[test]
    fn the_reply_to_an_entry_brings_back_what_it_asked_for() {
        let asked = entry(&[(REPLY_TO, "callgate:replies:a"), (CALL, "7"), (PAYLOAD, "")]);
        assert_eq!(reply_to(&asked), Some(("callgate:replies:a".to_owned(), "7".to_owned())));
        assert_eq!(reply_to(&entry(&[(CALL, "7")])), None);
        let words = words(&reply("callgate:replies:a", "7", &Reply::new(StatusCode::NOT_FOUND, "gone")));
        let expected = ["callgate-call", "7", "callgate-status", "404", "payload", "gone"];
        assert_eq!(words, [&["XADD", "callgate:replies:a", "*"][..], &expected].concat());
    }

    #[test]
    fn a_status_that_http_has_not_is_a_bad_reply() {
        for status in ["0", "100", "700", "many"] {
            assert!(matches!(response(entry(&[(STATUS, status)])), Err(RedisError::Status { .. })), "{status}");
        }
    }
}
