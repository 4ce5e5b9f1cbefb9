//! The remote's functions, for those that answer messages with the whole request in them (`payload: http`).

use std::time::Duration;

use base64::{Engine, engine::general_purpose::STANDARD};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

/// What one of the remote's functions answers.
#[derive(Debug)]
pub struct RemoteReply {
    /// The body's media type.
    pub content_type: String,
    /// The status, where the function chooses one.
    pub status: Option<u16>,
    /// The body.
    pub body: Vec<u8>,
}

/// The answer of the function that the first segment of the call's path names: see [`Remote`](crate::conformance::Remote).
pub async fn remote_function(call: &Value) -> RemoteReply {
    let reply = |kind: &str, body: Vec<u8>| RemoteReply { content_type: kind.to_owned(), status: None, body };
    let json = |body: &str| reply("application/json", body.into());
    let number = |name: &str| call["query"][name][0].as_str().and_then(|text| text.parse().ok()).unwrap_or(0_u32);
    let path = call["path"].as_str().unwrap_or_default();
    match path.split('/').nth(1).unwrap_or_default() {
        "mirror" => {
            let text = call["body"].as_str().unwrap_or_default();
            let body = match call["is_base64"].as_bool() {
                Some(true) => STANDARD.decode(text).unwrap_or_default(),
                _ => text.into(),
            };
            reply(call["headers"]["content-type"][0].as_str().unwrap_or("application/octet-stream"), body)
        }
        "status" => RemoteReply { status: Some(u16::try_from(number("status")).unwrap_or(0)), ..json("{}") },
        "slow" => {
            tokio::time::sleep(Duration::from_millis(number("ms").into())).await;
            json("{}")
        }
        "large" => json(&"x".repeat(usize::try_from(number("bytes")).unwrap_or(0))),
        "binary" => reply("application/octet-stream", (0..=255).collect()),
        _ => json(&describe(call).to_string()),
    }
}

fn describe(call: &Value) -> Value {
    let pairs = |of: &Value| -> Vec<Value> {
        let named = of.as_object().into_iter().flatten();
        named
            .flat_map(|(name, values)| values.as_array().into_iter().flatten().map(move |value| json!([name, value])))
            .collect()
    };
    let query: Vec<_> = pairs(&call["query"])
        .iter()
        .map(|pair| {
            let part = |index: usize| utf8_percent_encode(pair[index].as_str().unwrap_or_default(), NON_ALPHANUMERIC);
            format!("{}={}", part(0), part(1))
        })
        .collect();
    json!({
        "method": call["method"],
        "path": call["path"],
        "query": query.join("&"),
        "headers": pairs(&call["headers"]),
    })
}
