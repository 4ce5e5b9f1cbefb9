//! `google.rpc.Status`: what a service says beside the code, as JSON.

use std::time::Duration;

use base64::{Engine, engine::general_purpose::STANDARD};
use prost_reflect::{DescriptorPool, DynamicMessage, prost::Message};
use serde_json::{Map, Value, json};

use crate::{
    contract::error_details,
    json::{Writing, special, to_json},
};

/// The most details that are told.
const MOST: usize = 64;

/// As in `google/rpc/status.proto`; code and message are those of the trailers.
#[derive(Clone, PartialEq, prost::Message)]
struct RpcStatus {
    #[prost(message, repeated, tag = "3")]
    details: Vec<prost_types::Any>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct RetryInfo {
    #[prost(message, optional, tag = "1")]
    delay: Option<prost_types::Duration>,
}

/// The details of a status.
#[derive(Debug, PartialEq)]
pub(crate) struct Details {
    /// Each as the mapping writes an `Any`. One of a type that nobody knows has its bytes as base64 in `value`.
    pub(crate) list: Vec<Value>,
    /// How long the service asks to wait, by a `RetryInfo`.
    pub(crate) retry_after: Option<Duration>,
}

/// Reads the bytes of a status; `None` for bytes that are none.
pub(crate) fn read(bytes: &[u8], pool: &DescriptorPool) -> Option<Details> {
    let status = RpcStatus::decode(bytes).ok()?;
    let retry_after = status.details.iter().find_map(|any| {
        let info = any.type_url.ends_with("/google.rpc.RetryInfo").then(|| RetryInfo::decode(&*any.value).ok())??;
        Duration::try_from(info.delay?).ok()
    });
    let list = status.details.iter().take(MOST).map(|any| one(any, pool)).collect();
    Some(Details { list, retry_after })
}

fn one(any: &prost_types::Any, pool: &DescriptorPool) -> Value {
    let opaque = || json!({"@type": any.type_url, "value": STANDARD.encode(&any.value)});
    known(any, pool).unwrap_or_else(opaque)
}

fn known(any: &prost_types::Any, pool: &DescriptorPool) -> Option<Value> {
    let name = any.type_url.rsplit('/').next()?;
    let descriptor = pool.get_message_by_name(name).or_else(|| error_details().get_message_by_name(name))?;
    let message = DynamicMessage::decode(descriptor, &*any.value).ok()?;
    let value = to_json(&message, Writing::default()).ok()?;
    let mut object = Map::from_iter([("@type".to_owned(), Value::from(any.type_url.as_str()))]);
    match value {
        Value::Object(fields) if special(name).is_none() => object.extend(fields),
        value => drop(object.insert("value".to_owned(), value)),
    }
    Some(Value::Object(object))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(details: Vec<prost_types::Any>) -> Vec<u8> {
        RpcStatus { details }.encode_to_vec()
    }

    #[test]
    fn details_of_googles_types_need_no_descriptors() {
        let info = RetryInfo { delay: Some(prost_types::Duration { seconds: 3, nanos: 0 }) }.encode_to_vec();
        let url = "type.googleapis.com/google.rpc.RetryInfo".to_owned();
        let found = read(&status(vec![prost_types::Any { type_url: url, value: info }]), &DescriptorPool::new());
        let list = vec![json!({"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "3s"})];
        assert_eq!(found, Some(Details { list, retry_after: Some(Duration::from_secs(3)) }));
    }

    #[test]
    fn what_nobody_knows_is_told_as_it_came() {
        let any = prost_types::Any { type_url: "type.example.com/a.B".into(), value: vec![1, 2, 3] };
        let found = read(&status(vec![any]), &DescriptorPool::new()).unwrap();
        assert_eq!(found.list, [json!({"@type": "type.example.com/a.B", "value": "AQID"})]);
        assert_eq!(read(&[0xff, 0xff], &DescriptorPool::new()), None);
    }
}
