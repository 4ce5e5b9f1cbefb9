//! What is sent and what comes back. Pure, so that it is tested without a remote.

use base64::{Engine, engine::general_purpose::STANDARD};
use callgate_core::{Body, Response};
use http::{HeaderName, HeaderValue, StatusCode, request::Parts};
use serde_json::{Map, Value, json};

use crate::error::SkeletonError;

/// The line of a call.
pub(crate) fn call(function: &str, token: Option<&str>, head: &Parts, body: &[u8]) -> String {
    let mut headers = Map::new();
    for (name, value) in &head.headers {
        add(&mut headers, name.as_str(), String::from_utf8_lossy(value.as_bytes()).into_owned());
    }
    let mut query = Map::new();
    for (name, value) in form_urlencoded::parse(head.uri.query().unwrap_or_default().as_bytes()) {
        add(&mut query, &name, value.into_owned());
    }
    let (text, is_base64) = match std::str::from_utf8(body) {
        Ok(text) => (text.to_owned(), false),
        Err(_) => (STANDARD.encode(body), true),
    };
    let call = json!({
        "function": function, "token": token, "method": head.method.as_str(), "path": head.uri.path(), "query": query,
        "headers": headers, "body": text, "is_base64": is_base64,
    });
    format!("{call}\n")
}

/// The line that asks for the remote's functions.
pub(crate) fn list(token: Option<&str>) -> String {
    format!("{}\n", json!({"list": true, "token": token}))
}

/// The names that it answers.
pub(crate) fn names(reply: &[u8]) -> Result<Vec<String>, SkeletonError> {
    serde_json::from_value(read(reply)?["functions"].take()).map_err(malformed)
}

/// The response for a reply: `{status, headers, body, is_base64}`, or `{error}`.
pub(crate) fn response(reply: &[u8]) -> Result<Response, SkeletonError> {
    let mut reply = read(reply)?;
    if let Some(error) = reply["error"].as_str() {
        return Err(SkeletonError::Failed(error.to_owned()));
    }
    let body = match reply["body"].take() {
        Value::String(text) if reply["is_base64"] == true => STANDARD.decode(text).map_err(malformed)?,
        Value::String(text) => text.into_bytes(),
        other => return Err(SkeletonError::Malformed(format!("its body is no text: {other}"))),
    };
    let mut response = Response::new(Body::from(body));
    let status = u16::try_from(reply["status"].as_u64().unwrap_or(200)).map_err(malformed)?;
    *response.status_mut() = StatusCode::from_u16(status).map_err(malformed)?;
    for (name, values) in reply["headers"].as_object().into_iter().flatten() {
        let name = HeaderName::try_from(name).map_err(malformed)?;
        for value in values.as_array().into_iter().flatten().filter_map(Value::as_str) {
            response.headers_mut().append(&name, HeaderValue::try_from(value).map_err(malformed)?);
        }
    }
    Ok(response)
}

fn read(reply: &[u8]) -> Result<Value, SkeletonError> {
    if reply.is_empty() {
        return Err(SkeletonError::Empty);
    }
    serde_json::from_slice(reply).map_err(malformed)
}

fn malformed(error: impl std::fmt::Display) -> SkeletonError {
    SkeletonError::Malformed(error.to_string())
}

fn add(to: &mut Map<String, Value>, name: &str, value: String) {
    if let Some(values) = to.entry(name).or_insert_with(|| json!([])).as_array_mut() {
        values.push(value.into());
    }
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    #[test]
    fn a_request_is_one_line() {
        let request = Request::post("/a?x=1&x=%32").header("x-many", "one").header("x-many", "two").body(()).unwrap();
        let line = call("hello", None, &request.into_parts().0, b"two\nlines");
        assert_eq!(line.matches('\n').count(), 1);
        let sent: Value = serde_json::from_str(&line).unwrap();
        assert_eq!((&sent["function"], &sent["query"]["x"]), (&json!("hello"), &json!(["1", "2"])));
        assert_eq!((&sent["headers"]["x-many"], &sent["body"]), (&json!(["one", "two"]), &json!("two\nlines")));
    }

    #[test]
    fn a_reply_is_a_response_or_a_failure() {
        let good =
            response(br#"{"status": 201, "headers": {"x-a": ["b"]}, "body": "AP8=", "is_base64": true}"#).unwrap();
        assert_eq!((good.status(), good.body().as_bytes()), (StatusCode::CREATED, Some(&[0, 255][..])));
        assert!(matches!(response(br#"{"error": "no"}"#), Err(SkeletonError::Failed(_))));
        assert!(matches!(response(b""), Err(SkeletonError::Empty)));
        for wrong in ["{", "{}", r#"{"body": "", "status": 99}"#, r#"{"body": "%", "is_base64": true}"#] {
            assert!(matches!(response(wrong.as_bytes()), Err(SkeletonError::Malformed(_))), "{wrong}");
        }
    }
}
