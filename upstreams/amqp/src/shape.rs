//! A message as AMQP holds it, and back: pure shaping, no connection.

use callgate_core::{ErrorKind, UpstreamError};
use callgate_message::{Binding, Message};
use lapin::{
    BasicProperties,
    types::{AMQPValue, FieldTable, ShortString},
};

use crate::key;

/// Headers in AMQP 0-9-1. RabbitMQ and its plugins act by some; only brokers and the document set these.
pub(crate) const BINDING: Binding = Binding {
    attributes: "cloudEvents:",
    also_understood: &["cloudEvents_"],
    escapes_attributes: false,
    repeats_content_type: false,
    reserved: &[
        "x-death",
        "x-first-death-",
        "x-last-death-",
        "x-delivery-count",
        "x-acquired-count",
        "x-delay",
        "x-match",
        "x-stream-",
        "x-routing-",
        "x-received-from",
    ],
};

/// What a value takes beside its bytes: a type and a length.
const AROUND_A_VALUE: usize = 6;
/// What all properties take beside what is counted.
const AROUND_ALL: usize = 512;

/// The properties of a message while they are put together, with the bytes that they will take.
#[derive(Debug)]
pub(crate) struct Head {
    properties: BasicProperties,
    size: usize,
}

impl Head {
    pub(crate) fn new(content_type: Option<String>, content_encoding: Option<String>) -> Result<Self, UpstreamError> {
        let mut properties = BasicProperties::default();
        if let Some(value) = content_type {
            properties = properties.with_content_type(key::fitting(value, "the content type")?);
        }
        if let Some(value) = content_encoding {
            properties = properties.with_content_encoding(key::fitting(value, "the content encoding")?);
        }
        // All short texts together.
        Ok(Self { properties, size: AROUND_ALL + 9 * (key::LONGEST + 1) })
    }

    /// Adds the headers. A table has each name once, so values of one name become one, as in HTTP.
    pub(crate) fn headers(&mut self, headers: Vec<(String, String)>) -> Result<(), UpstreamError> {
        if headers.is_empty() {
            return Ok(());
        }
        let mut named: Vec<(String, String)> = Vec::with_capacity(headers.len());
        for (name, value) in headers {
            match named.iter_mut().find(|(known, _)| *known == name) {
                Some((_, values)) => {
                    values.push_str(if name == "cookie" { "; " } else { ", " });
                    values.push_str(&value);
                }
                None => named.push((name, value)),
            }
        }
        let mut table = FieldTable::default();
        for (name, value) in named {
            let name = ShortString::try_new(name).map_err(|error| {
                UpstreamError::new(
                    ErrorKind::BadInput,
                    format!("a header's name is longer than {} bytes", key::LONGEST),
                )
                .with_detail("The name of a header is too long for a message.")
                .with_source(error)
            })?;
            self.size += name.as_str().len() + value.len() + AROUND_A_VALUE;
            table.insert(name, AMQPValue::LongString(value.into()));
        }
        let properties = std::mem::take(&mut self.properties);
        self.properties = properties.with_headers(table);
        Ok(())
    }

    /// Sets a property.
    pub(crate) fn set(&mut self, with: impl FnOnce(BasicProperties) -> BasicProperties) {
        self.properties = with(std::mem::take(&mut self.properties));
    }

    /// The properties, and how many bytes they take at most.
    pub(crate) fn into_parts(self) -> (BasicProperties, usize) {
        (self.properties, self.size)
    }
}

/// A message that came in. Headers that are lists become several, whatever has no text stays behind.
pub(crate) fn message(properties: &BasicProperties, data: Vec<u8>) -> Message {
    let short = |text: &Option<ShortString>| text.as_ref().map(ToString::to_string);
    let mut message = Message {
        content_type: short(properties.content_type()),
        content_encoding: short(properties.content_encoding()),
        payload: data.into(),
        ..Message::default()
    };
    for (name, value) in properties.headers().iter().flatten() {
        match value {
            AMQPValue::FieldArray(values) => {
                let values = values.as_slice().iter().filter_map(text);
                message.headers.extend(values.map(|value| (name.to_string(), value)));
            }
            value => message.headers.extend(text(value).map(|value| (name.to_string(), value))),
        }
    }
    message
}

/// A single value as text.
pub(crate) fn text(value: &AMQPValue) -> Option<String> {
    Some(match value {
        AMQPValue::Boolean(value) => value.to_string(),
        AMQPValue::ShortShortInt(value) => value.to_string(),
        AMQPValue::ShortShortUInt(value) => value.to_string(),
        AMQPValue::ShortInt(value) => value.to_string(),
        AMQPValue::ShortUInt(value) => value.to_string(),
        AMQPValue::LongInt(value) => value.to_string(),
        AMQPValue::LongUInt(value) => value.to_string(),
        AMQPValue::LongLongInt(value) => value.to_string(),
        AMQPValue::Float(value) => value.to_string(),
        AMQPValue::Double(value) => value.to_string(),
        AMQPValue::ShortString(value) => value.to_string(),
        AMQPValue::LongString(value) => std::str::from_utf8(value.as_bytes()).ok()?.to_owned(),
        AMQPValue::Timestamp(value) => value.to_string(),
        AMQPValue::DecimalValue(_)
        | AMQPValue::FieldArray(_)
        | AMQPValue::FieldTable(_)
        | AMQPValue::ByteArray(_)
        | AMQPValue::Void => return None,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn owned(headers: &[(&str, &str)]) -> Vec<(String, String)> {
        headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    fn table(headers: &[(&str, &str)]) -> FieldTable {
        let mut head = Head::new(None, None).unwrap();
        head.headers(owned(headers)).unwrap();
        head.into_parts().0.headers().clone().unwrap_or_default()
    }

    #[test]
    fn values_of_one_name_become_one() {
        let table = table(&[("x-a", "1"), ("cookie", "a=1"), ("x-a", "2"), ("cookie", "b=2")]);
        let value = |name: &str| text(&table.inner()[name]).unwrap();
        assert_eq!((value("x-a"), value("cookie")), ("1, 2".to_owned(), "a=1; b=2".to_owned()));
    }

    #[test]
    fn what_does_not_fit_is_the_clients_error() {
        assert!(Head::new(Some("a".repeat(256)), None).is_err());
        let mut head = Head::new(None, None).unwrap();
        assert_eq!(head.headers(owned(&[(&"n".repeat(256), "v")])).unwrap_err().kind(), ErrorKind::BadInput);
    }

    #[test]
    fn a_message_that_came_in_is_read() {
        let mut table = FieldTable::default();
        table.insert(
            "x-list".into(),
            AMQPValue::FieldArray(vec![AMQPValue::LongInt(1), AMQPValue::Boolean(true)].into()),
        );
        table.insert("x-count".into(), AMQPValue::LongLongInt(-7));
        table.insert("x-table".into(), AMQPValue::FieldTable(FieldTable::default()));
        table.insert("x-bytes".into(), AMQPValue::LongString(vec![0xff].into()));
        let properties = BasicProperties::default().with_content_type("text/plain".into()).with_headers(table);
        let message = message(&properties, b"data".to_vec());
        assert_eq!(message.content_type.as_deref(), Some("text/plain"));
        assert_eq!(message.headers, owned(&[("x-count", "-7"), ("x-list", "1"), ("x-list", "true")]));
    }

    proptest! {
        #[test]
        fn shaping_never_panics_and_counts_every_byte(
            headers in proptest::collection::vec(("\\PC{0,300}", "(?s).{0,50}"), 0..8)
        ) {
            let mut head = Head::new(None, None).unwrap();
            if head.headers(headers).is_ok() {
                let (properties, size) = head.into_parts();
                let bytes: usize = properties
                    .headers()
                    .iter()
                    .flatten()
                    .map(|(name, value)| name.as_str().len() + 1 + 5 + text(value).unwrap().len())
                    .sum();
                prop_assert!(size >= bytes);
            }
        }
    }
}
