//! What a status says where another protocol, within HTTP, was to answer.

use std::time::Duration;

use callgate_core::ErrorKind;
use http::{HeaderMap, StatusCode, header::RETRY_AFTER};

/// The class of the failure that a status tells which is the web's own: of a proxy on the way, or of a service that did
/// not come to speak its protocol.
#[must_use]
pub fn kind_of(status: StatusCode) -> ErrorKind {
    match status.as_u16() {
        401 | 403 | 404 | 407 => ErrorKind::Denied,
        413 => ErrorKind::BodyTooLarge,
        429 => ErrorKind::Throttled,
        504 => ErrorKind::Timeout,
        502 | 503 => ErrorKind::Unavailable,
        500.. => ErrorKind::FunctionError,
        _ => ErrorKind::BadReply,
    }
}

/// How long `retry-after` asks to wait, where it does so in seconds.
#[must_use]
pub fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok().map(Duration::from_secs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_the_webs_own() {
        for (status, kind) in [
            (302, ErrorKind::BadReply),
            (401, ErrorKind::Denied),
            (404, ErrorKind::Denied),
            (413, ErrorKind::BodyTooLarge),
            (429, ErrorKind::Throttled),
            (500, ErrorKind::FunctionError),
            (503, ErrorKind::Unavailable),
            (504, ErrorKind::Timeout),
        ] {
            assert_eq!(kind_of(StatusCode::from_u16(status).unwrap()), kind, "{status}");
        }
    }

    #[test]
    fn a_wait_is_read_in_seconds() {
        let asked = |text: &'static str| retry_after(&HeaderMap::from_iter([(RETRY_AFTER, text.parse().unwrap())]));
        assert_eq!(asked(" 7 "), Some(Duration::from_secs(7)));
        assert_eq!((asked("Fri, 31 Dec 1999 23:59:59 GMT"), asked("-1")), (None, None));
        assert_eq!(retry_after(&HeaderMap::new()), None);
    }
}
