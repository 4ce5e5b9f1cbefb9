//! The prelude of a streamed reply: a head as JSON, eight NUL bytes, then the body.

use bytes::Bytes;
use http::StatusCode;
use serde::Deserialize;

use super::{
    Head, ReplyError, head,
    value::{Cookies, Pairs, Scalar, Status},
};

/// The content type of a streamed reply that begins with a prelude.
pub const HTTP_INTEGRATION: &str = "application/vnd.awslambda.http-integration-response";

/// What stands between the prelude and the body.
pub(super) const DELIMITER: [u8; 8] = [0; 8];
/// Headers of HTTP are far smaller.
const LIMIT: usize = 256 * 1024;

/// Collects the chunks of a streamed reply until its prelude is complete.
///
/// ```
/// use callgate_aws_event::Prelude;
///
/// let mut prelude = Prelude::default();
/// assert!(prelude.push(b"{\"statusCode\": 201}\0\0\0\0")?.is_none());
/// let (head, rest) = prelude.push(b"\0\0\0\0body")?.expect("a complete prelude");
/// assert_eq!((head.status.as_u16(), &rest[..]), (201, &b"body"[..]));
/// # Ok::<_, callgate_aws_event::ReplyError>(())
/// ```
#[derive(Debug, Default)]
pub struct Prelude(Vec<u8>);

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Fields<'a> {
    #[serde(default)]
    status_code: Status,
    #[serde(borrow, default)]
    headers: Pairs<'a, Scalar<'a>>,
    #[serde(borrow, default)]
    multi_value_headers: Pairs<'a, Vec<Scalar<'a>>>,
    #[serde(borrow, default)]
    cookies: Cookies<'a>,
}

impl Prelude {
    /// Takes the next chunk; gives the head and the first bytes of the body once the prelude is complete.
    ///
    /// # Errors
    /// The prelude is too long, or outside the contract.
    pub fn push(&mut self, chunk: &[u8]) -> Result<Option<(Head, Bytes)>, ReplyError> {
        let from = self.0.len().saturating_sub(DELIMITER.len() - 1);
        self.0.extend_from_slice(chunk);
        let Some(at) = self.0[from..].windows(DELIMITER.len()).position(|window| window == DELIMITER) else {
            return if self.0.len() > LIMIT { Err(ReplyError::Prelude) } else { Ok(None) };
        };
        let text = std::mem::take(&mut self.0);
        let head = read(&text[..from + at])?;
        Ok(Some((head, Bytes::copy_from_slice(&text[from + at + DELIMITER.len()..]))))
    }

    /// Tells that the stream ended before its prelude did.
    pub fn cut(self) -> ReplyError {
        ReplyError::Prelude
    }
}

/// Whether these bytes begin with the delimiter; `None` while there are too few to say.
pub(super) fn delimiter(bytes: &[u8]) -> Option<bool> {
    let begin = &bytes[..bytes.len().min(DELIMITER.len())];
    if begin.iter().any(|byte| *byte != 0) {
        return Some(false);
    }
    (begin.len() == DELIMITER.len()).then_some(true)
}

/// Reads a prelude without its delimiter.
pub(super) fn read(text: &[u8]) -> Result<Head, ReplyError> {
    let fields: Fields<'_> = serde_json::from_slice(text).map_err(ReplyError::Json)?;
    let status = match fields.status_code {
        Status::Code(status) => status,
        Status::Absent => StatusCode::OK,
        Status::Wrong(found) => return Err(ReplyError::Status(found)),
    };
    let headers = head::merge(&fields.headers, &fields.multi_value_headers, &fields.cookies)?;
    Ok(Head { status, headers })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const REPLY: &[u8] = b"{\"statusCode\":418,\"headers\":{\"x-a\":\"1\"},\"cookies\":[\"a=b\"]}\0\0\0\0\0\0\0\0a\0b";

    proptest! {
        #[test]
        fn a_prelude_is_found_wherever_the_chunks_divide_it(cut in 0..REPLY.len()) {
            let mut prelude = Prelude::default();
            let mut body = Vec::new();
            let mut found = None;
            for chunk in [&REPLY[..cut], &REPLY[cut..]] {
                if found.is_some() {
                    body.extend_from_slice(chunk);
                } else if let Some((head, rest)) = prelude.push(chunk).unwrap() {
                    body.extend_from_slice(&rest);
                    found = Some(head);
                }
            }
            let head = found.unwrap();
            prop_assert_eq!(head.status.as_u16(), 418);
            prop_assert_eq!(&head.headers["x-a"], "1");
            prop_assert_eq!(&head.headers["set-cookie"], "a=b");
            prop_assert_eq!(body, b"a\0b");
        }

        #[test]
        fn any_bytes_are_read_or_refused(chunk in any::<Vec<u8>>()) {
            let mut prelude = Prelude::default();
            prelude.push(&chunk).ok();
            prelude.push(&DELIMITER).ok();
        }
    }

    #[test]
    fn an_endless_prelude_is_refused() {
        let mut prelude = Prelude::default();
        assert!(matches!(prelude.push(&vec![b' '; LIMIT + 1]), Err(ReplyError::Prelude)));
    }
}
