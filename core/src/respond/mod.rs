//! The one place where a failure becomes HTTP: a problem document (RFC 9457), or a gRPC status for clients of gRPC and
//! gRPC-Web.

mod code;
mod grpc;
mod problem;

pub use code::Code;
pub(crate) use problem::{ERROR, detail, respond, status};

use http::{HeaderMap, HeaderValue, StatusCode, header};

use crate::invocation::Response;

/// What a client speaks, and so in which form it is told of a failure. Its request's content type says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Speech {
    /// HTTP: it reads problem documents.
    Plain,
    Grpc,
    /// gRPC-Web, in base64 or as it is.
    GrpcWeb {
        is_text: bool,
    },
}

impl Speech {
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let kind = headers.get(header::CONTENT_TYPE).map(HeaderValue::as_bytes);
        let Some(rest) = kind.and_then(|kind| kind.strip_prefix(b"application/grpc")) else { return Self::Plain };
        let ends = |rest: &[u8]| matches!(rest.first(), None | Some(b'+' | b';' | b' '));
        match rest.strip_prefix(b"-web") {
            None if ends(rest) => Self::Grpc,
            None => Self::Plain,
            Some(rest) => match (ends(rest), rest.strip_prefix(b"-text")) {
                (true, _) => Self::GrpcWeb { is_text: false },
                (false, Some(rest)) if ends(rest) => Self::GrpcWeb { is_text: true },
                (false, _) => Self::Plain,
            },
        }
    }
}

/// What a reply of gRPC says that has nothing but a status other than OK: the status of HTTP that it stands for, and the
/// failure that it is like.
pub(crate) fn told_by_grpc(response: &Response) -> Option<(StatusCode, Option<Code>)> {
    grpc::told(response)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_is_known_by_its_content_type() {
        let of =
            |kind: &'static str| Speech::of(&HeaderMap::from_iter([(header::CONTENT_TYPE, kind.parse().unwrap())]));
        for kind in ["application/grpc", "application/grpc+proto", "application/grpc; x=y"] {
            assert_eq!(of(kind), Speech::Grpc, "{kind}");
        }
        for kind in ["application/grpc-web", "application/grpc-web+proto"] {
            assert_eq!(of(kind), Speech::GrpcWeb { is_text: false }, "{kind}");
        }
        for kind in ["application/grpc-web-text", "application/grpc-web-text+proto"] {
            assert_eq!(of(kind), Speech::GrpcWeb { is_text: true }, "{kind}");
        }
        for kind in ["application/json", "application/grpcx", "application/grpc-else", "application/grpc-web-texts", ""]
        {
            assert_eq!(of(kind), Speech::Plain, "{kind}");
        }
        assert_eq!(Speech::of(&HeaderMap::new()), Speech::Plain);
    }
}
