//! How a streamed reply begins, where nothing but its bytes tells: with a prelude, or at once with the body.

use bytes::{Bytes, BytesMut};
use callgate_core::Body;
use http::{HeaderValue, Response, header};

use super::{Head, ReplyError, decode, prelude};
use crate::shape::{Reply, Shape};

/// Finds the head of a streamed reply in its first chunks.
///
/// With `reply: http`, an object that is followed by eight NUL bytes is the prelude. What does not begin with an object,
/// or goes on in another way behind it, is a body of its own: a 200 of `application/octet-stream`. An object that is all
/// there is was sent by a function that does not stream, and is read as its reply.
///
/// ```
/// use callgate_aws_event::{Opening, Shape};
///
/// let mut opening = Opening::new(Shape::default(), 1024);
/// assert!(opening.push(b"{\"statusCode\": 201}\0\0\0\0")?.is_none());
/// let (head, first) = opening.push(b"\0\0\0\0body")?.expect("a complete prelude");
/// assert_eq!((head.status.as_u16(), &first[..]), (201, &b"body"[..]));
/// # Ok::<_, callgate_aws_event::ReplyError>(())
/// ```
#[derive(Debug)]
pub struct Opening {
    shape: Shape,
    limit: u64,
    held: BytesMut,
    object: Object,
}

impl Opening {
    /// At most `limit` bytes are held until it is clear how the reply begins.
    pub fn new(shape: Shape, limit: u64) -> Self {
        Self { shape, limit, held: BytesMut::new(), object: Object::default() }
    }

    /// Takes the next chunk; gives the head and the first bytes of the body once both are known.
    ///
    /// # Errors
    /// A prelude outside the contract, or one that has no end within the limit.
    pub fn push(&mut self, chunk: &[u8]) -> Result<Option<(Head, Bytes)>, ReplyError> {
        self.held.extend_from_slice(chunk);
        let Some(first) = self.held.first() else {
            return Ok(None);
        };
        if self.shape.reply == Reply::Raw || *first != b'{' {
            return Ok(Some((plain(), self.held.split().freeze())));
        }
        match self.object.find_end(&self.held).map(|end| (end, prelude::delimiter(&self.held[end..]))) {
            Some((end, Some(true))) => {
                let mut bytes = self.held.split().freeze();
                let text = bytes.split_to(end);
                Ok(Some((prelude::read(&text)?, bytes.split_off(prelude::DELIMITER.len()))))
            }
            Some((_, Some(false))) => Ok(Some((plain(), self.held.split().freeze()))),
            Some((_, None)) | None if self.held.len() as u64 > self.limit => Err(ReplyError::TooLong(self.limit)),
            Some((_, None)) | None => Ok(None),
        }
    }

    /// The reply is complete, and it is not yet clear how it begins: the whole of it is at hand.
    ///
    /// # Errors
    /// As [`decode`]'s.
    pub fn end(self) -> Result<Response<Body>, ReplyError> {
        if self.held.is_empty() {
            return Ok(plain().into_response(Body::empty()));
        }
        decode(self.shape, &self.held.freeze())
    }
}

impl Head {
    /// A response with this head.
    #[must_use]
    pub fn into_response(self, body: Body) -> Response<Body> {
        let mut response = Response::new(body);
        *response.status_mut() = self.status;
        *response.headers_mut() = self.headers;
        response
    }
}

/// The head of a reply that says nothing of HTTP.
fn plain() -> Head {
    let mut head = Head::default();
    head.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
    head
}

/// Looks for the end of a JSON object, each byte once.
#[derive(Debug, Default)]
struct Object {
    seen: usize,
    depth: usize,
    in_string: bool,
    escaped: bool,
    end: Option<usize>,
}

impl Object {
    /// Where the object that `text` begins with has ended. `text` only grows from call to call.
    fn find_end(&mut self, text: &[u8]) -> Option<usize> {
        while self.end.is_none() {
            let byte = *text.get(self.seen)?;
            self.seen += 1;
            if self.escaped {
                self.escaped = false;
            } else if self.in_string {
                self.escaped = byte == b'\\';
                self.in_string = byte != b'"';
            } else {
                match byte {
                    b'"' => self.in_string = true,
                    b'{' | b'[' => self.depth += 1,
                    b'}' | b']' => self.depth = self.depth.saturating_sub(1),
                    _ => {}
                }
                if self.depth == 0 {
                    self.end = Some(self.seen);
                }
            }
        }
        self.end
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::Payload;

    /// Head and body of a reply that comes in these chunks.
    fn read<'a>(shape: Shape, chunks: impl IntoIterator<Item = &'a [u8]>) -> Result<(Head, Vec<u8>), ReplyError> {
        let mut opening = Opening::new(shape, 1000);
        let mut chunks = chunks.into_iter();
        for chunk in chunks.by_ref() {
            if let Some((head, first)) = opening.push(chunk)? {
                return Ok((head, [&first[..], &chunks.collect::<Vec<_>>().concat()].concat()));
            }
        }
        let (parts, body) = opening.end()?.into_parts();
        let head = Head { status: parts.status, headers: parts.headers };
        Ok((head, body.as_bytes().unwrap().to_vec()))
    }

    const HTTP: &[u8] =
        b"{\"statusCode\":418,\"headers\":{\"x-a\":\"}\\\"{\"},\"cookies\":[\"a=b\"]}\0\0\0\0\0\0\0\0{\0b";

    proptest! {
        #[test]
        fn a_prelude_is_found_wherever_the_chunks_divide_it(first in 0..HTTP.len(), second in 0..HTTP.len()) {
            let (first, second) = (first.min(second), first.max(second));
            let chunks = [&HTTP[..first], &HTTP[first..second], &HTTP[second..]];
            let (head, body) = read(Shape::default(), chunks).unwrap();
            prop_assert_eq!(head.status.as_u16(), 418);
            prop_assert_eq!(&head.headers["x-a"], "}\"{");
            prop_assert_eq!(&head.headers["set-cookie"], "a=b");
            prop_assert_eq!(body, b"{\0b");
        }

        #[test]
        fn raw_replies_are_passed_on_byte_for_byte(bytes in any::<Vec<u8>>(), cut in any::<prop::sample::Index>()) {
            let cut = cut.index(bytes.len() + 1);
            let (head, body) = read(Shape::new(Payload::Raw, None), [&bytes[..cut], &bytes[cut..]]).unwrap();
            prop_assert_eq!(head.status.as_u16(), 200);
            prop_assert_eq!(body, bytes);
        }

        #[test]
        fn any_bytes_are_read_or_refused(chunks in any::<Vec<Vec<u8>>>()) {
            read(Shape::default(), chunks.iter().map(Vec::as_slice)).ok();
        }
    }

    #[test]
    fn what_is_no_prelude_is_the_body_as_soon_as_that_is_clear() {
        let mut opening = Opening::new(Shape::default(), 1000);
        let (head, first) = opening.push(b"plain").unwrap().unwrap();
        assert_eq!((head.status.as_u16(), &first[..]), (200, &b"plain"[..]));
        assert_eq!(head.headers["content-type"], "application/octet-stream");
        let mut opening = Opening::new(Shape::default(), 1000);
        assert!(opening.push(b"{\"a\":1}").unwrap().is_none());
        let (_, first) = opening.push(b"\n{\"a\":2}\n").unwrap().unwrap();
        assert_eq!(first, "{\"a\":1}\n{\"a\":2}\n");
    }

    #[test]
    fn the_reply_of_a_function_that_does_not_stream_is_read_as_such() {
        let (head, body) = read(Shape::default(), [&b"{\"statusCode\":201,\"bo"[..], b"dy\":\"hi\"}"]).unwrap();
        assert_eq!((head.status.as_u16(), &body[..]), (201, &b"hi"[..]));
        let (head, body) = read(Shape::default(), []).unwrap();
        assert_eq!((head.status.as_u16(), body.len()), (200, 0));
    }

    #[test]
    fn a_prelude_without_an_end_or_outside_the_contract_is_refused() {
        let long = [b"{\"".as_slice(), &[b' '; 1000]].concat();
        assert!(matches!(read(Shape::default(), [&long[..]]), Err(ReplyError::TooLong(1000))));
        assert!(read(Shape::default(), [&b"{\"statusCode\":9}\0\0\0\0\0\0\0\0"[..]]).is_err());
        assert!(read(Shape::default(), [&b"{\"statusCode\":200}\0\0"[..]]).is_err());
    }
}
