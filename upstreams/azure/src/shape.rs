//! What is sent to the app, and what of its replies is the platform's own: pure.

use std::borrow::Cow;

use callgate_core::{ErrorKind, UpstreamError, retry_after};
use http::{
    HeaderMap, HeaderName, HeaderValue, StatusCode, Uri,
    header::WWW_AUTHENTICATE,
    uri::{InvalidUri, PathAndQuery},
};
use percent_encoding::percent_decode_str;

/// The header of every key.
pub(crate) const KEY: HeaderName = HeaderName::from_static("x-functions-key");

/// Headers by which App Service tells a function who signed in; from a client they would be forged.
const PRINCIPAL: &str = "x-ms-client-principal";

/// What the Functions host adds to the requests that it refuses to run because it has too many.
/// <https://github.com/Azure/azure-functions-host/blob/dev/src/WebJobs.Script.WebHost/Middleware/HttpThrottleMiddleware.cs>
const SCALE_OUT: HeaderName = HeaderName::from_static("x-function-scaleout");

/// The scheme of a challenge for tokens.
const BEARER: &[u8] = b"bearer";

/// The parameter of the query by which the host takes a key too.
const CODE: &str = "code";

/// How often a path may be decoded on its way, for what looks harmless at first.
const DECODED: usize = 3;

/// The target of a call: the function's path, the tail if it is appended, and the client's query without keys.
pub(crate) fn target(path: &str, tail: Option<&str>, query: Option<&str>) -> Result<PathAndQuery, InvalidUri> {
    let query = query.map(without_keys).filter(|query| !query.is_empty());
    let tail = tail.filter(|tail| !tail.is_empty());
    let length = path.len() + tail.map_or(0, |tail| tail.len() + 1) + query.as_ref().map_or(0, |query| query.len() + 1);
    let mut text = String::with_capacity(length);
    text.push_str(path);
    for (separator, part) in [('/', tail), ('?', query.as_deref())] {
        if let Some(part) = part {
            text.push(separator);
            text.push_str(part);
        }
    }
    PathAndQuery::from_maybe_shared(text.into_bytes())
}

/// The query without the parameters that the host would take for a key, in whatever case and escapes.
fn without_keys(query: &str) -> Cow<'_, str> {
    if !query.split('&').any(is_key) {
        return Cow::Borrowed(query);
    }
    query.split('&').filter(|pair| !is_key(pair)).collect::<Vec<_>>().join("&").into()
}

fn is_key(pair: &str) -> bool {
    let name = pair.split('=').next().unwrap_or_default();
    // Without escapes only a name of this length can be it.
    let plain = !name.contains(['%', '+']);
    if plain && name.len() != CODE.len() {
        return false;
    }
    let name = name.replace('+', " ");
    percent_decode_str(&name).decode_utf8_lossy().trim().eq_ignore_ascii_case(CODE)
}

/// Whether some reader on the way could take the path for one that leads upwards: a segment `.` or `..` behind escapes
/// or backslashes. The key that goes with the call opens more than the function.
pub(crate) fn climbs(path: &str) -> bool {
    let mut text = Cow::Borrowed(path);
    for _ in 0..=DECODED {
        if text.split(['/', '\\']).any(|segment| matches!(segment, "." | "..")) {
            return true;
        }
        if !text.contains('%') {
            return false;
        }
        text = Cow::Owned(percent_decode_str(&text).decode_utf8_lossy().into_owned());
    }
    false
}

/// Takes off what a client must not say to an app.
pub(crate) fn clean(headers: &mut HeaderMap) {
    headers.remove(KEY);
    if headers.keys().any(|name| name.as_str().starts_with(PRINCIPAL)) {
        let forged: Vec<_> = headers.keys().filter(|name| name.as_str().starts_with(PRINCIPAL)).cloned().collect();
        for name in forged {
            headers.remove(name);
        }
    }
}

/// The error that a reply is, where a header of the platform says that it is none of the function.
pub(crate) fn refusal(function: &str, status: StatusCode, headers: &HeaderMap) -> Option<UpstreamError> {
    if status != StatusCode::TOO_MANY_REQUESTS || !headers.contains_key(SCALE_OUT) {
        return None;
    }
    let text = format!("the Functions host has too many requests to run the function {function}");
    let error = UpstreamError::new(ErrorKind::Throttled, text).not_executed();
    Some(error.with_retry_after(retry_after(headers)))
}

/// Whether a reply asks for another token than the one that it was sent (RFC 6750, 3). The function may say so too.
pub(crate) fn wants_another_token(status: StatusCode, headers: &HeaderMap) -> bool {
    let asks = |challenge: &HeaderValue| {
        challenge.as_bytes().get(..BEARER.len()).is_some_and(|scheme| scheme.eq_ignore_ascii_case(BEARER))
    };
    status == StatusCode::UNAUTHORIZED && headers.get_all(WWW_AUTHENTICATE).iter().any(asks)
}

/// A target as a request's URI.
pub(crate) fn uri(path: &str, tail: Option<&str>, query: Option<&str>) -> Result<Uri, UpstreamError> {
    if tail.is_some_and(climbs) {
        return Err(UpstreamError::new(ErrorKind::BadInput, "the path's tail would lead out of the function's place")
            .with_detail("The path has a `..` behind escapes, which no function is sent."));
    }
    target(path, tail, query)
        .map(Uri::from)
        .map_err(|error| UpstreamError::new(ErrorKind::BadInput, "the path can't be sent").with_source(error))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use http::header::RETRY_AFTER;
    use proptest::prelude::*;

    use super::*;

    fn shaped(path: &str, tail: Option<&str>, query: Option<&str>) -> String {
        target(path, tail, query).unwrap().to_string()
    }

    #[test]
    fn the_tail_and_the_query_follow_the_functions_path() {
        assert_eq!(shaped("/api/hello", None, None), "/api/hello");
        assert_eq!(shaped("/api/hello", Some(""), Some("")), "/api/hello");
        assert_eq!(shaped("/api/hello", Some("a%2Fb/"), Some("x=1&x=2&y=%2F")), "/api/hello/a%2Fb/?x=1&x=2&y=%2F");
        assert_eq!(shaped("/hello", None, Some("flag")), "/hello?flag");
    }

    #[test]
    fn no_key_comes_through_the_query() {
        for query in
            ["code=k", "code", "CODE=k", "%63ode=k", "c%4Fd%65=k", "code=", "code=a&code=b", "+code=k", "%20code%20=k"]
        {
            assert_eq!(shaped("/f", None, Some(query)), "/f", "{query}");
            assert_eq!(shaped("/f", None, Some(&format!("a=1&{query}&b=2"))), "/f?a=1&b=2", "{query}");
        }
        for query in ["codes=1", "xcode=1", "a=code", "zip%2Dcode=1", "&&a=1&", "a=%zz", "cod=1", "=code"] {
            assert_eq!(shaped("/f", None, Some(query)), format!("/f?{query}"));
        }
    }

    proptest! {
        #[test]
        fn what_is_no_key_passes_byte_for_byte(query in "([a-b]{1,3}=[a-z0-9%&=]{0,6}&?){0,5}") {
            prop_assert_eq!(without_keys(&query), query.as_str());
        }
    }

    #[test]
    fn ways_up_are_seen_through_escapes() {
        for tail in ["..%2F..%2Fadmin", "a/%2e%2e/b", "%252e%252e/b", "..%5Cadmin", "a%2F.%2Fb", "x/..%2F", "%2E"] {
            assert!(climbs(tail), "{tail}");
            assert_eq!(uri("/api/f", Some(tail), None).unwrap_err().kind(), ErrorKind::BadInput);
        }
        for tail in ["", "a/b", "a..b/c", "...", "a%2Fb", "v1.2/%20", "%25", "a%2e"] {
            assert!(!climbs(tail), "{tail}");
        }
    }

    #[test]
    fn what_a_client_must_not_say_is_taken_off() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("x-functions-key", "a"),
            ("x-functions-key", "b"),
            ("x-ms-client-principal", "e30="),
            ("x-ms-client-principal-name", "root"),
            ("x-ms-other", "stays"),
            ("authorization", "stays"),
        ] {
            headers.append(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        clean(&mut headers);
        let mut left: Vec<_> = headers.keys().map(HeaderName::as_str).collect();
        left.sort_unstable();
        assert_eq!(left, ["authorization", "x-ms-other"]);
    }

    #[test]
    fn only_a_challenge_for_tokens_asks_for_another_one() {
        let wants = |status, challenge: &'static str| {
            let headers = HeaderMap::from_iter([(WWW_AUTHENTICATE, HeaderValue::from_static(challenge))]);
            wants_another_token(status, &headers)
        };
        assert!(wants(StatusCode::UNAUTHORIZED, "Bearer realm=\"a\"") && wants(StatusCode::UNAUTHORIZED, "bearer"));
        assert!(!wants(StatusCode::UNAUTHORIZED, "Basic") && !wants(StatusCode::FORBIDDEN, "Bearer"));
        assert!(!wants_another_token(StatusCode::UNAUTHORIZED, &HeaderMap::new()), "as for a wrong key");
    }

    #[test]
    fn only_the_hosts_own_refusal_is_no_reply() {
        let mut headers = HeaderMap::new();
        headers.insert(RETRY_AFTER, HeaderValue::from_static("7"));
        assert!(refusal("f", StatusCode::TOO_MANY_REQUESTS, &headers).is_none(), "the function may say so itself");
        headers.insert(SCALE_OUT, HeaderValue::from_static("1"));
        let error = refusal("f", StatusCode::TOO_MANY_REQUESTS, &headers).unwrap();
        assert_eq!((error.kind(), error.retry_after()), (ErrorKind::Throttled, Some(Duration::from_secs(7))));
        for status in [StatusCode::UNAUTHORIZED, StatusCode::NOT_FOUND, StatusCode::OK] {
            assert!(refusal("f", status, &headers).is_none());
        }
    }
}
