//! The trace context in the form of AWS X-Ray.

use http::{HeaderMap, HeaderName, HeaderValue};

const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// The trace of a W3C `traceparent` in the form of X-Ray, so that the function's trace continues the gateway's: the value of
/// `x-amzn-trace-id`, and of `Lambda-Runtime-Trace-Id`.
///
/// Both ids are taken over as they are: X-Ray accepts a W3C trace id written in its own form, 8 and 24 digits.
pub fn xray(headers: &HeaderMap) -> Option<HeaderValue> {
    let parent = headers.get(TRACEPARENT)?.as_bytes();
    let hex = |range: std::ops::Range<usize>| {
        let part = parent.get(range)?;
        let digits = part.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        (digits && part.iter().any(|byte| *byte != b'0')).then_some(part)
    };
    // version-trace-parent-flags: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01
    let (trace, span) = (hex(3..35)?, hex(36..52)?);
    let dashes = [2, 35, 52].iter().all(|at| parent.get(*at) == Some(&b'-'));
    let sampled = matches!(parent.get(54)?, b'1' | b'3' | b'5' | b'7' | b'9' | b'b' | b'd' | b'f');
    if !dashes || parent.starts_with(b"ff") {
        return None;
    }
    let mut value = Vec::with_capacity(74);
    value.extend_from_slice(b"Root=1-");
    value.extend_from_slice(&trace[..8]);
    value.push(b'-');
    value.extend_from_slice(&trace[8..]);
    value.extend_from_slice(b";Parent=");
    value.extend_from_slice(span);
    value.extend_from_slice(if sampled { b";Sampled=1" } else { b";Sampled=0" });
    HeaderValue::from_maybe_shared(bytes::Bytes::from(value)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn traced(parent: &'static str) -> Option<String> {
        let headers = HeaderMap::from_iter([("traceparent".parse().unwrap(), HeaderValue::from_static(parent))]);
        xray(&headers).map(|value| value.to_str().unwrap().to_owned())
    }

    #[test]
    fn a_trace_parent_becomes_an_xray_header() {
        assert_eq!(
            traced("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01").as_deref(),
            Some("Root=1-4bf92f35-77b34da6a3ce929d0e0e4736;Parent=00f067aa0ba902b7;Sampled=1")
        );
        assert!(traced("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00").unwrap().ends_with("Sampled=0"));
    }

    #[test]
    fn what_is_no_trace_parent_is_not_sent() {
        for text in [
            "",
            "00-",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e473G-00f067aa0ba902b7-01",
            "00_4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        ] {
            assert_eq!(traced(text), None, "{text}");
        }
        assert_eq!(xray(&HeaderMap::new()), None);
    }
}
