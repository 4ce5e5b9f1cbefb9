//! Which headers of an HTTP message go along.

use http::HeaderMap;

use crate::binding::{Binding, begins};

/// What the gateway's own headers begin with. No client's header does: the edge drops them.
const OURS: &str = "callgate-";

/// Headers that always go along, so that a consumer can go on with the trace and read the payload.
const ALWAYS: [&str; 4] = ["content-type", "content-encoding", "traceparent", "tracestate"];

/// Whether a header always goes along; the name is one of a request, in lower case.
pub(crate) fn goes_always(name: &str) -> bool {
    // This is asked for every header, and the first letter says no to most.
    matches!(name.as_bytes(), [b'c' | b't', ..]) && (ALWAYS.contains(&name) || begins(name, OURS))
}

/// Whether a header describes the HTTP message or its connection, which a broker's message is not.
pub(crate) fn is_of_http(name: &str) -> bool {
    matches!(
        name,
        "connection"
            | "content-length"
            | "expect"
            | "host"
            | "keep-alive"
            | "proxy-connection"
            | "te"
            | "trailer"
            | "transfer-encoding"
            | "upgrade"
    )
}

/// Names and values of those that are wanted and no one else's. A value that is no text stays behind.
pub(crate) fn of_http<'a>(
    headers: &'a HeaderMap,
    binding: &Binding,
    wanted: impl Fn(&str) -> bool,
) -> impl Iterator<Item = (&'a str, String)> {
    headers.iter().filter_map(move |(name, value)| {
        let name = name.as_str();
        // Most are not wanted, so that is asked first.
        let passes = wanted(name) && !is_of_http(name) && !binding.is_reserved(name);
        let text = passes.then(|| std::str::from_utf8(value.as_bytes()).ok())??;
        Some((name, text.to_owned()))
    })
}
