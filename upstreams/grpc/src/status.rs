//! The status that ends every call: its code, the HTTP status that it stands for, and its details.

use base64::{
    Engine, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, StatusCode};
use percent_encoding::percent_decode;

pub(crate) const STATUS: HeaderName = HeaderName::from_static("grpc-status");
pub(crate) const MESSAGE: HeaderName = HeaderName::from_static("grpc-message");
pub(crate) const DETAILS: HeaderName = HeaderName::from_static("grpc-status-details-bin");

/// Base64 of headers: padding may be there or not.
pub(crate) const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_encode_padding(false).with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The codes by number, with their names and the HTTP statuses of `google.rpc.Code`.
const CODES: [(&str, u16); 17] = [
    ("OK", 200),
    ("CANCELLED", 499),
    ("UNKNOWN", 500),
    ("INVALID_ARGUMENT", 400),
    ("DEADLINE_EXCEEDED", 504),
    ("NOT_FOUND", 404),
    ("ALREADY_EXISTS", 409),
    ("PERMISSION_DENIED", 403),
    ("RESOURCE_EXHAUSTED", 429),
    ("FAILED_PRECONDITION", 400),
    ("ABORTED", 409),
    ("OUT_OF_RANGE", 400),
    ("UNIMPLEMENTED", 501),
    ("INTERNAL", 500),
    ("UNAVAILABLE", 503),
    ("DATA_LOSS", 500),
    ("UNAUTHENTICATED", 401),
];

/// A code of gRPC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Code(pub(crate) u32);

impl Code {
    pub(crate) const OK: Self = Self(0);
    pub(crate) const UNKNOWN: Self = Self(2);
    pub(crate) const DEADLINE_EXCEEDED: Self = Self(4);
    pub(crate) const NOT_FOUND: Self = Self(5);
    pub(crate) const UNIMPLEMENTED: Self = Self(12);

    fn row(self) -> (&'static str, u16) {
        let known = usize::try_from(self.0).ok().and_then(|index| CODES.get(index));
        // A code that nobody has defined is read as `UNKNOWN`.
        *known.unwrap_or(&CODES[2])
    }

    pub(crate) fn name(self) -> &'static str {
        self.row().0
    }

    /// The status of HTTP that it stands for.
    pub(crate) fn http(self) -> StatusCode {
        StatusCode::from_u16(self.row().1).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }
}

/// How a call ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Status {
    pub(crate) code: Code,
    pub(crate) message: String,
    /// A `google.rpc.Status`, where the service sent one.
    pub(crate) details: Option<Bytes>,
}

impl Status {
    /// Reads trailers, or the head of a reply that has nothing else. `None` where no status is told.
    pub(crate) fn read(headers: &HeaderMap) -> Option<Self> {
        let code = headers.get(STATUS)?.to_str().ok().and_then(|code| code.trim().parse().ok());
        let message = headers.get(MESSAGE).map(|message| percent_decode(message.as_bytes()).decode_utf8_lossy());
        let details = headers.get(DETAILS).and_then(|details| BASE64.decode(details.as_bytes()).ok());
        Some(Self {
            code: code.map_or(Code::UNKNOWN, Code),
            message: message.unwrap_or_default().into_owned(),
            details: details.map(Bytes::from),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(headers: &[(&'static str, &'static str)]) -> Option<Status> {
        let headers = headers.iter().map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap()));
        Status::read(&headers.collect())
    }

    #[test]
    fn every_code_has_its_http_status() {
        let statuses: Vec<_> = (0..18).map(|code| Code(code).http().as_u16()).collect();
        assert_eq!(
            statuses,
            [200, 499, 500, 400, 504, 404, 409, 403, 429, 400, 409, 400, 501, 500, 503, 500, 401, 500],
            "google.rpc.Code, and UNKNOWN for what it has not"
        );
        assert_eq!((Code(12).name(), Code(99).name()), ("UNIMPLEMENTED", "UNKNOWN"));
    }

    #[test]
    fn a_status_is_read_with_its_message_and_details() {
        let status =
            read(&[("grpc-status", "9"), ("grpc-message", "n%C3%B6 100%"), ("grpc-status-details-bin", "CAk")]);
        let details = Some(Bytes::from_static(&[8, 9]));
        assert_eq!(status.unwrap(), Status { code: Code(9), message: "nö 100%".into(), details });
        assert_eq!(read(&[("grpc-message", "x")]), None);
        assert_eq!(read(&[("grpc-status", "x")]).unwrap().code, Code::UNKNOWN);
        assert_eq!(read(&[("grpc-status", "0"), ("grpc-status-details-bin", "!")]).unwrap().details, None);
    }
}
