//! The failure of a function in the middle of the reply that it streams.

use base64::{Engine, engine::general_purpose::STANDARD};

const TYPE: &[u8] = b"Lambda-Runtime-Function-Error-Type: ";
const BODY: &[u8] = b"\r\nLambda-Runtime-Function-Error-Body: ";

/// What a runtime says of a stream that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamFailure {
    /// The error's type: `Runtime.StreamError`.
    pub kind: String,
    /// What tells of it: a JSON document, or a text.
    pub document: Vec<u8>,
}

impl StreamFailure {
    /// Whether a chunk is no part of the reply but tells of a failure.
    ///
    /// The Runtime API wants it in trailers, and that is where most runtimes write it. The crate `lambda_runtime` writes
    /// their text as a chunk of its own, which a client would take for the end of the reply.
    pub fn in_chunk(chunk: &[u8]) -> Option<Self> {
        let rest = chunk.strip_prefix(TYPE)?.strip_suffix(b"\r\n")?;
        let at = rest.windows(BODY.len()).position(|window| window == BODY)?;
        let kind = String::from_utf8(rest[..at].to_vec()).ok()?;
        Some(Self { kind, document: STANDARD.decode(&rest[at + BODY.len()..]).ok()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chunk_that_tells_of_a_failure_is_told_from_the_reply() {
        let text = b"Lambda-Runtime-Function-Error-Type: Runtime.StreamError\r\nLambda-Runtime-Function-Error-Body: YnJva2Vu\r\n";
        let failure = StreamFailure::in_chunk(text).unwrap();
        assert_eq!((&*failure.kind, &failure.document[..]), ("Runtime.StreamError", &b"broken"[..]));
        for other in [&text[..60], &text[1..], b"Lambda-Runtime-Function-Error-Type: x\r\n", b"", b"plain"] {
            assert_eq!(StreamFailure::in_chunk(other), None);
        }
    }
}
