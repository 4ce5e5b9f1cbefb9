//! W3C Trace Context (`traceparent`): the trace goes on, with the gateway as the function's parent.

use http::{HeaderMap, HeaderName, HeaderValue};

use super::Seen;
use crate::request_id::write_hex;

pub(crate) const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");

/// Sets `traceparent` for the function: the client's trace with a new parent id, or a new trace. A malformed one
/// starts a new trace and drops `tracestate`, as the specification asks.
pub(crate) fn continue_trace(headers: &mut HeaderMap, seen: Seen) {
    let mut text = *b"00-00000000000000000000000000000000-0000000000000000-00";
    let given = if seen.trace { headers.get(&TRACEPARENT) } else { None };
    match given.map(HeaderValue::as_bytes).filter(|value| is_valid(value)) {
        Some(value) => {
            text[3..35].copy_from_slice(&value[3..35]);
            text[53..55].copy_from_slice(&value[53..55]);
        }
        None => {
            if seen.trace {
                headers.remove(&TRACESTATE);
            }
            write_hex(fastrand::u128(1..).to_be_bytes(), &mut text[3..35]);
        }
    }
    write_hex(fastrand::u64(1..).to_be_bytes(), &mut text[36..52]);
    if let Ok(value) = HeaderValue::from_bytes(&text) {
        headers.insert(TRACEPARENT, value);
    }
}

/// What a caller says of the trace that its request is part of.
pub(crate) struct GivenTrace {
    pub(crate) trace: u128,
    pub(crate) parent: u64,
    /// Whether the caller records it.
    pub(crate) sampled: bool,
}

/// The trace that a request is part of, if it names one.
pub(crate) fn trace_of(headers: &HeaderMap) -> Option<GivenTrace> {
    let value = headers.get(&TRACEPARENT)?;
    let text = value.to_str().ok().filter(|_| is_valid(value.as_bytes()))?;
    let part = |range: std::ops::Range<usize>| text.get(range);
    Some(GivenTrace {
        trace: u128::from_str_radix(part(3..35)?, 16).ok()?,
        parent: u64::from_str_radix(part(36..52)?, 16).ok()?,
        sampled: u8::from_str_radix(part(53..55)?, 16).ok()? & 1 == 1,
    })
}

/// `version-traceid-parentid-flags` in lower-case hex; later versions may be longer, ids are never all zero.
fn is_valid(value: &[u8]) -> bool {
    let hex = |range: std::ops::Range<usize>| value[range].iter().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    let zero = |range: std::ops::Range<usize>| value[range].iter().all(|byte| *byte == b'0');
    value.len() >= 55
        && (value.len() == 55 || (&value[..2] != b"00" && value[55] == b'-'))
        && [value[2], value[35], value[52]] == *b"---"
        && &value[..2] != b"ff"
        && hex(0..2)
        && hex(3..35)
        && hex(36..52)
        && hex(53..55)
        && !zero(3..35)
        && !zero(36..52)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GIVEN: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    fn continued(given: Option<&'static str>) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(TRACESTATE, HeaderValue::from_static("a=1"));
        if let Some(given) = given {
            headers.insert(TRACEPARENT, HeaderValue::from_static(given));
        }
        let seen = Seen::of(&headers);
        continue_trace(&mut headers, seen);
        assert!(is_valid(headers[TRACEPARENT].as_bytes()));
        headers
    }

    #[test]
    fn the_trace_goes_on_with_a_new_parent() {
        let headers = continued(Some(GIVEN));
        let sent = headers[TRACEPARENT].to_str().unwrap();
        assert_eq!((&sent[..36], &sent[52..]), (&GIVEN[..36], &GIVEN[52..]));
        assert_ne!(&sent[36..52], &GIVEN[36..52]);
        assert_eq!(headers[TRACESTATE], "a=1");
    }

    #[test]
    fn a_missing_or_malformed_one_starts_a_new_trace() {
        for given in [None, Some("00-zz"), Some("00-00000000000000000000000000000000-00f067aa0ba902b7-01")] {
            assert!(!continued(given).contains_key(TRACESTATE));
        }
    }
}
