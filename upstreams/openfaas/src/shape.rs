//! What a call looks like to the gateway of OpenFaaS, and its reply to the client. Pure.

use std::sync::Arc;

use callgate_core::{Body, Response};
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, Uri,
    header::{CONNECTION, UPGRADE},
    request::Parts,
    uri::{InvalidUri, PathAndQuery},
};

use crate::target::Mode;

/// Names a call in the gateway's log, and in its callback.
pub(crate) const CALL_ID: HeaderName = HeaderName::from_static("x-call-id");

/// Where the reply of an asynchronous call is sent.
const CALLBACK_URL: HeaderName = HeaderName::from_static("x-callback-url");

/// Who made a reply, when it was no function.
pub(crate) const INTERNAL: HeaderName = HeaderName::from_static("x-openfaas-internal");

/// How long a function took; its watchdog says so.
pub(crate) const DURATION: HeaderName = HeaderName::from_static("x-duration-seconds");

/// What the gateway sends back of its own request: the addresses in it are nobody's business.
const LEAKS: [HeaderName; 4] = [
    HeaderName::from_static("x-forwarded-for"),
    HeaderName::from_static("x-forwarded-host"),
    HeaderName::from_static("x-forwarded-proto"),
    INTERNAL,
];

/// A call, ready to be sent below the gateway's URL.
#[derive(Debug)]
pub(crate) struct Call {
    /// The function's name without its namespace.
    pub(crate) name: Arc<str>,
    pub(crate) mode: Mode,
    pub(crate) request: Request<Body>,
}

/// Path and query of a call.
pub(crate) fn target(
    mode: Mode,
    name: &str,
    namespace: Option<&str>,
    below: &str,
    query: Option<&str>,
) -> Result<Uri, InvalidUri> {
    let start = match mode {
        Mode::Sync => "/function/",
        Mode::Async => "/async-function/",
    };
    let mut text = String::with_capacity(start.len() + name.len() + below.len() + query.map_or(0, str::len) + 66);
    text.push_str(start);
    text.push_str(name);
    for (mark, part) in [(".", namespace), ("", Some(below)), ("?", query)] {
        if let Some(part) = part {
            text.push_str(mark);
            text.push_str(part);
        }
    }
    PathAndQuery::from_maybe_shared(text.into_bytes()).map(Uri::from)
}

/// The head of a call. A client's own callback never passes: with it, anyone could have the cluster send requests to
/// any address.
pub(crate) fn head(head: &mut Parts, mode: Mode, callback: Option<HeaderValue>, id: impl FnOnce() -> HeaderValue) {
    head.headers.remove(CALLBACK_URL);
    if mode == Mode::Sync {
        return;
    }
    // The gateway queues nothing else, and a queued call is no conversation.
    head.method = Method::POST;
    head.headers.remove(CONNECTION);
    head.headers.remove(UPGRADE);
    head.headers.entry(CALL_ID).or_insert_with(id);
    if let Some(callback) = callback {
        head.headers.insert(CALLBACK_URL, callback);
    }
}

/// A function's reply as the client gets it.
pub(crate) fn response(mut reply: Response) -> Response {
    for name in &LEAKS {
        reply.headers_mut().remove(name);
    }
    reply
}

/// The answer to a call that was queued. The gateway does not repeat an id that it was given.
pub(crate) fn accepted(reply: &HeaderMap, sent: Option<HeaderValue>) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::ACCEPTED;
    if let Some(id) = reply.get(CALL_ID).cloned().or(sent) {
        response.headers_mut().insert(CALL_ID, id);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uri(mode: Mode, namespace: Option<&str>, below: &str, query: Option<&str>) -> String {
        target(mode, "figlet", namespace, below, query).unwrap().to_string()
    }

    fn parts(headers: &[(&'static str, &'static str)]) -> Parts {
        let mut request = Request::get("/x");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(()).unwrap().into_parts().0
    }

    fn names(headers: &HeaderMap) -> Vec<&str> {
        let mut names: Vec<_> = headers.keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        names
    }

    #[test]
    fn a_call_is_a_path_of_the_gateway() {
        assert_eq!(uri(Mode::Sync, None, "", None), "/function/figlet");
        assert_eq!(
            uri(Mode::Sync, Some("staging"), "/a/%2F", Some("x=1&x=%2F")),
            "/function/figlet.staging/a/%2F?x=1&x=%2F"
        );
        assert_eq!(uri(Mode::Async, None, "/a", Some("")), "/async-function/figlet/a?");
    }

    #[test]
    fn a_clients_callback_never_passes() {
        for mode in [Mode::Sync, Mode::Async] {
            let mut parts = parts(&[("x-callback-url", "http://evil.test/"), ("authorization", "Bearer mine")]);
            head(&mut parts, mode, None, || HeaderValue::from_static("id"));
            assert!(!parts.headers.contains_key("x-callback-url"), "{mode:?}");
            assert_eq!(parts.headers["authorization"], "Bearer mine", "it is the function's");
        }
        let mut parts = parts(&[("x-callback-url", "http://evil.test/")]);
        head(&mut parts, Mode::Async, Some(HeaderValue::from_static("http://ours/")), || {
            HeaderValue::from_static("id")
        });
        assert_eq!(parts.headers.get_all("x-callback-url").iter().collect::<Vec<_>>(), ["http://ours/"]);
    }

    #[test]
    fn a_queued_call_is_a_post_with_an_id() {
        let mut parts = parts(&[("upgrade", "websocket"), ("connection", "upgrade"), ("x-a", "1")]);
        head(&mut parts, Mode::Async, None, || HeaderValue::from_static("7"));
        assert_eq!((parts.method, names(&parts.headers)), (Method::POST, vec!["x-a", "x-call-id"]));
        let mut own = self::parts(&[("x-call-id", "mine")]);
        head(&mut own, Mode::Async, None, || HeaderValue::from_static("7"));
        assert_eq!(own.headers["x-call-id"], "mine");
        let mut sync = self::parts(&[("upgrade", "websocket")]);
        head(&mut sync, Mode::Sync, None, || HeaderValue::from_static("7"));
        assert_eq!((sync.method, names(&sync.headers)), (Method::GET, vec!["upgrade"]));
    }

    #[test]
    fn the_gateways_own_request_does_not_leak() {
        let mut reply = Response::new(Body::from("x"));
        for name in
            ["x-forwarded-for", "x-forwarded-host", "x-call-id", "x-duration-seconds", "x-own", "x-openfaas-internal"]
        {
            reply.headers_mut().insert(name, HeaderValue::from_static("10.0.0.1:80"));
        }
        assert_eq!(names(response(reply).headers()), ["x-call-id", "x-duration-seconds", "x-own"]);
    }

    #[test]
    fn the_id_of_a_queued_call_is_told_in_any_case() {
        let id = |reply: &HeaderMap, sent: Option<&'static str>| {
            let response = accepted(reply, sent.map(HeaderValue::from_static));
            assert_eq!(response.status(), 202);
            response.headers().get("x-call-id").cloned()
        };
        let reply = HeaderMap::from_iter([(CALL_ID, HeaderValue::from_static("theirs"))]);
        assert_eq!(id(&reply, Some("ours")).unwrap(), "theirs");
        assert_eq!(id(&HeaderMap::new(), Some("ours")).unwrap(), "ours");
        assert_eq!(id(&HeaderMap::new(), None), None);
    }
}
