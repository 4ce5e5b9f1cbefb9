//! What token endpoints answer: pure.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use callgate_core::{Lease, retry_after};
use http::{HeaderMap, HeaderValue, StatusCode};
use serde::Deserialize;
use serde_json::Value;

use crate::{error::NoToken, function::sensitive};

/// The most of a message that others wrote which goes to the log.
const LONGEST: usize = 512;

/// A token, as all of the endpoints give it; numbers may be texts.
#[derive(Deserialize)]
struct Granted {
    access_token: String,
    token_type: Option<String>,
    expires_in: Option<Value>,
    expires_on: Option<Value>,
}

/// A refusal: `error` is a name, or with App Service an object, or the text stands in `message`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Refusal {
    error: Value,
    error_description: Option<String>,
    message: Option<String>,
}

/// Reads an answer: the value of `authorization`, and how long it is good for.
pub(crate) fn read(
    status: StatusCode,
    headers: &HeaderMap,
    body: &[u8],
    now: SystemTime,
) -> Result<Lease<HeaderValue>, NoToken> {
    if status != StatusCode::OK {
        return Err(NoToken::Refused { status, reason: reason(body), retry_after: retry_after(headers) });
    }
    // The reader's message is left out: it may quote a part of the token.
    let granted: Granted = serde_json::from_slice(body)
        .map_err(|_| NoToken::Malformed("it is no JSON with an `access_token`".to_owned()))?;
    if let Some(kind) = granted.token_type.as_deref().filter(|kind| !kind.eq_ignore_ascii_case("bearer")) {
        return Err(NoToken::Malformed(format!("a token of the type `{}` was not asked for", bounded(kind))));
    }
    if granted.access_token.is_empty() {
        return Err(NoToken::Malformed("its `access_token` is empty".to_owned()));
    }
    let value = sensitive(&format!("Bearer {}", granted.access_token))
        .map_err(|_| NoToken::Malformed("its `access_token` holds what no HTTP header may hold".to_owned()))?;
    let life = life(&granted, now).ok_or_else(|| {
        NoToken::Malformed("it says neither by `expires_in` nor by `expires_on` how long the token is good".to_owned())
    })?;
    Ok(Lease { value, life: Some(life) })
}

/// The token's life from now on. The relative form comes first: it doesn't depend on the machine's clock.
fn life(granted: &Granted, now: SystemTime) -> Option<Duration> {
    if let Some(seconds) = granted.expires_in.as_ref().and_then(seconds) {
        return Some(Duration::from_secs(seconds));
    }
    let end = UNIX_EPOCH.checked_add(Duration::from_secs(granted.expires_on.as_ref().and_then(seconds)?))?;
    Some(end.duration_since(now).unwrap_or(Duration::ZERO))
}

fn seconds(value: &Value) -> Option<u64> {
    match value {
        Value::String(text) => text.trim().parse().ok(),
        other => other.as_u64(),
    }
}

/// What a refusal says, for the log.
fn reason(body: &[u8]) -> String {
    let refusal: Refusal = serde_json::from_slice(body).unwrap_or_default();
    let name = refusal.error.as_str().or_else(|| refusal.error["code"].as_str());
    let text =
        refusal.error_description.as_deref().or(refusal.error["message"].as_str()).or(refusal.message.as_deref());
    match (name, text) {
        (Some(name), Some(text)) => format!("{}: {}", bounded(name), bounded(text)),
        (Some(one), None) | (None, Some(one)) => bounded(one),
        (None, None) => bounded(&String::from_utf8_lossy(body)),
    }
}

/// One line of at most [`LONGEST`] bytes, without control characters: the text goes to the log.
fn bounded(text: &str) -> String {
    let mut end = text.len().min(LONGEST);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text[..end].trim().chars().map(|char| if char.is_control() { ' ' } else { char }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn granted(body: &str) -> Result<Lease<HeaderValue>, NoToken> {
        let now = UNIX_EPOCH + Duration::from_secs(1_000_000);
        read(StatusCode::OK, &HeaderMap::new(), body.as_bytes(), now)
    }

    fn life(body: &str) -> u64 {
        granted(body).unwrap().life.unwrap().as_secs()
    }

    #[test]
    fn a_token_and_its_life_are_read_in_every_form() {
        let lease = granted(r#"{"access_token": "hush", "token_type": "Bearer", "expires_in": 3599}"#).unwrap();
        assert_eq!(lease.value, "Bearer hush");
        assert!(!format!("{lease:?}").contains("hush"));
        assert_eq!(life(r#"{"access_token": "t", "expires_in": "3599", "expires_on": "5"}"#), 3599);
        assert_eq!(life(r#"{"access_token": "t", "token_type": "bearer", "expires_on": "1000060"}"#), 60);
        assert_eq!(life(r#"{"access_token": "t", "expires_on": 1000060}"#), 60);
        assert_eq!(life(r#"{"access_token": "t", "expires_on": "1"}"#), 0, "it has ended already");
    }

    #[test]
    fn what_is_no_token_is_said_without_showing_it() {
        for (body, says) in [
            ("<html>", "no JSON"),
            (r#"{"expires_in": 1}"#, "no JSON with an `access_token`"),
            (r#"{"access_token": "", "expires_in": 1}"#, "empty"),
            (r#"{"access_token": "hush\n", "expires_in": 1}"#, "no HTTP header"),
            (r#"{"access_token": "hush", "token_type": "pop", "expires_in": 1}"#, "`pop`"),
            (r#"{"access_token": "hush"}"#, "how long"),
            (r#"{"access_token": "hush", "expires_on": "06/20/2019 02:57:58 +00:00"}"#, "how long"),
        ] {
            let error = granted(body).unwrap_err().to_string();
            assert!(error.contains(says) && !error.contains("hush"), "{body}: {error}");
        }
    }

    #[test]
    fn a_refusal_says_why() {
        let said = |body: &str| match read(StatusCode::UNAUTHORIZED, &HeaderMap::new(), body.as_bytes(), UNIX_EPOCH) {
            Err(NoToken::Refused { reason, .. }) => reason,
            other => panic!("{other:?}"),
        };
        assert_eq!(
            said(
                r#"{"error": "invalid_client", "error_description": "AADSTS7000215: Invalid client secret.\r\nTrace"}"#
            ),
            "invalid_client: AADSTS7000215: Invalid client secret.  Trace"
        );
        assert_eq!(
            said(r#"{"error": {"code": "UnsupportedApiVersion", "message": "no"}}"#),
            "UnsupportedApiVersion: no"
        );
        assert_eq!(said(r#"{"statusCode": 400, "message": "No managed identity"}"#), "No managed identity");
        assert_eq!(said("<html>\nbusy"), "<html> busy");
        assert!(said(&"x".repeat(5000)).len() <= LONGEST);
    }

    #[test]
    fn an_endpoint_may_ask_to_be_left_alone() {
        let headers = HeaderMap::from_iter([(http::header::RETRY_AFTER, HeaderValue::from_static("9"))]);
        let error = read(StatusCode::TOO_MANY_REQUESTS, &headers, b"{}", UNIX_EPOCH).unwrap_err();
        assert!(matches!(error, NoToken::Refused { retry_after: Some(wait), .. } if wait.as_secs() == 9), "{error}");
    }
}
