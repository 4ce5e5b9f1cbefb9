//! What was written of a request, so that it can be sent once more when a pooled connection is closed upon it.
//!
//! A copy of the bytes costs a fraction of a copy of the header map, and is read back only in the rare case.

use bytes::Bytes;
use callgate_core::Body;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Uri, header};

/// The longest request that is kept, its body included.
pub(crate) const MAX: usize = 64 << 10;

/// How much memory stays with an unused connection.
const USUAL: usize = 4 << 10;

/// The bytes of one request as the codec handed them to the connection.
#[derive(Debug, Default)]
pub(crate) struct Sent {
    bytes: Vec<u8>,
    /// How many of them the connection has taken.
    taken: usize,
    too_long: bool,
}

impl Sent {
    /// A new request begins.
    pub(crate) fn clear(&mut self) {
        self.bytes.clear();
        self.bytes.shrink_to(USUAL);
        self.taken = 0;
        self.too_long = false;
    }

    /// What the codec wants to write next, whether or not the connection takes it.
    pub(crate) fn offer<'a>(&mut self, parts: impl Iterator<Item = &'a [u8]>) {
        self.bytes.truncate(self.taken);
        for part in parts {
            if self.bytes.len() + part.len() > MAX {
                self.too_long = true;
                return;
            }
            self.bytes.extend_from_slice(part);
        }
    }

    /// So many bytes of it were taken.
    pub(crate) fn take(&mut self, count: usize) {
        self.taken += count;
    }

    /// The request once more; `None` unless all of it is here.
    pub(crate) fn request(&self) -> Option<Request<Body>> {
        if self.too_long {
            return None;
        }
        let end = self.bytes.windows(4).position(|bytes| bytes == b"\r\n\r\n")?;
        let (head, body) = (&self.bytes[..end], &self.bytes[end + 4..]);
        let mut lines = head.split(|byte| *byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
        let mut words = lines.next()?.split(|byte| *byte == b' ');
        let method = Method::from_bytes(words.next()?).ok()?;
        let uri = Uri::try_from(words.next()?).ok()?;
        let headers: HeaderMap = lines.map(header).collect::<Option<_>>()?;
        let stated = match headers.get(header::CONTENT_LENGTH) {
            Some(length) => length.to_str().ok()?.parse().ok()?,
            None => 0,
        };
        if stated != body.len() {
            return None;
        }
        let mut request = Request::new(Body::from(Bytes::copy_from_slice(body)));
        *request.method_mut() = method;
        *request.uri_mut() = uri;
        *request.headers_mut() = headers;
        Some(request)
    }
}

/// A header line as the codec writes it: `name: value`.
fn header(line: &[u8]) -> Option<(HeaderName, HeaderValue)> {
    let colon = line.iter().position(|byte| *byte == b':')?;
    let value = line.get(colon + 1..)?;
    let value = value.strip_prefix(b" ").unwrap_or(value);
    Some((HeaderName::from_bytes(&line[..colon]).ok()?, HeaderValue::from_bytes(value).ok()?))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sent(parts: &[&[u8]]) -> Sent {
        let mut sent = Sent::default();
        sent.offer(parts.iter().copied());
        sent
    }

    proptest! {
        #[test]
        fn a_request_survives_any_partial_writes(
            path in "/[a-z0-9%=&?.]{0,30}",
            values in proptest::collection::vec(proptest::collection::vec(0x20_u8..0x7f, 0..40), 0..8),
            body in proptest::collection::vec(any::<u8>(), 0..100),
            takes in proptest::collection::vec(1_usize..50, 0..20),
        ) {
            let mut wire = format!("PUT {path} HTTP/1.1\r\ncontent-length: {}\r\n", body.len()).into_bytes();
            for value in &values {
                wire.extend_from_slice(b"x-value: ");
                wire.extend_from_slice(value);
                wire.extend_from_slice(b"\r\n");
            }
            wire.extend_from_slice(b"\r\n");
            wire.extend_from_slice(&body);
            let mut sent = Sent::default();
            let mut left = wire.as_slice();
            for count in takes {
                sent.offer([left].into_iter());
                let count = count.min(left.len());
                sent.take(count);
                left = &left[count..];
            }
            sent.offer([left].into_iter());
            let request = sent.request().unwrap();
            prop_assert_eq!(request.uri().to_string(), path);
            let read: Vec<_> = request.headers().get_all("x-value").iter().map(|value| value.as_bytes().to_vec()).collect();
            prop_assert_eq!(read, values);
            prop_assert_eq!(request.body().as_bytes(), Some(body.as_slice()));
        }
    }

    #[test]
    fn reads_back_what_was_written() {
        let sent = sent(&[
            b"PUT /a%20b?c=d:e HTTP/1.1\r\nhost: a:80\r\nx-latin: caf\xe9: \r\nx: 1\r\nx: 2\r\n",
            b"x-empty: \r\ncontent-length: 4\r\n\r\n",
            b"\r\n\r\n",
        ]);
        let request = sent.request().unwrap();
        assert_eq!((request.method(), request.uri().to_string().as_str()), (&Method::PUT, "/a%20b?c=d:e"));
        assert_eq!(request.headers()["x-latin"].as_bytes(), b"caf\xe9: ");
        assert_eq!(request.headers().get_all("x").iter().collect::<Vec<_>>(), ["1", "2"]);
        assert_eq!(request.headers()["x-empty"], "");
        assert_eq!(request.body().as_bytes(), Some(b"\r\n\r\n".as_slice()));
    }

    #[test]
    fn what_was_offered_twice_counts_once() {
        let mut sent = sent(&[b"GET / HTTP/1.1\r\nhost: a\r\n\r\n"]);
        sent.take(10);
        sent.offer([b"P/1.1\r\nhost: a\r\n\r\n".as_slice()].into_iter());
        assert_eq!(sent.request().unwrap().headers()["host"], "a");
    }

    #[test]
    fn nothing_but_the_whole_request_is_sent_again() {
        for part in ["", "GET / HT", "GET / HTTP/1.1\r\nhost: a\r\n", "PUT / HTTP/1.1\r\ncontent-length: 5\r\n\r\nhell"]
        {
            assert!(sent(&[part.as_bytes()]).request().is_none(), "{part}");
        }
        let long = vec![b'x'; MAX];
        assert!(sent(&[b"PUT / HTTP/1.1\r\ncontent-length: 65536\r\n\r\n", &long]).request().is_none());
        let mut again = sent(&[&long, &long]);
        again.clear();
        again.offer([b"GET / HTTP/1.1\r\n\r\n".as_slice()].into_iter());
        assert!(again.request().is_some());
    }
}
