//! What a status says where another protocol, within HTTP, was to answer.

use callgate_core::ErrorKind;
use http::StatusCode;

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
}
