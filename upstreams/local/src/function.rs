//! A function that a route calls.

use std::sync::Arc;

use callgate_aws_event::Shape;
use http::{HeaderMap, HeaderValue};

use crate::pool::Pool;

/// A bound function.
#[derive(Debug)]
pub struct LocalFunction {
    pub(crate) pool: Arc<Pool>,
    pub(crate) shape: Shape,
}

/// The W3C trace of a request in the form of X-Ray, as functions of AWS know it.
pub(crate) fn trace(headers: &HeaderMap) -> Option<HeaderValue> {
    let parent = headers.get("traceparent")?.to_str().ok()?;
    let mut fields = parent.split('-');
    let (_, trace, span, flags) = (fields.next()?, fields.next()?, fields.next()?, fields.next()?);
    let is_hex = |text: &str, length| text.len() == length && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    if !is_hex(trace, 32) || !is_hex(span, 16) {
        return None;
    }
    let (time, random) = trace.split_at(8);
    let sampled = u8::from_str_radix(flags, 16).is_ok_and(|flags| flags & 1 == 1);
    HeaderValue::try_from(format!("Root=1-{time}-{random};Parent={span};Sampled={}", u8::from(sampled))).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn traced(parent: &str) -> Option<String> {
        let mut headers = HeaderMap::new();
        headers.insert("traceparent", parent.parse().unwrap());
        trace(&headers).map(|value| value.to_str().unwrap().to_owned())
    }

    #[test]
    fn a_trace_is_told_in_the_form_of_x_ray() {
        assert_eq!(
            traced("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01").unwrap(),
            "Root=1-0af76519-16cd43dd8448eb211c80319c;Parent=b7ad6b7169203331;Sampled=1"
        );
        assert_eq!(traced("00-xyz-b7ad6b7169203331-01"), None);
        assert_eq!(trace(&HeaderMap::new()), None);
    }
}
