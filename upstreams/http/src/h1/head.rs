//! The heads of messages: a request's is written, a reply's is read.

use std::mem::MaybeUninit;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Version, header, request, response};
use httparse::{Header, ParserConfig, Status};

use super::broken::Broken;

/// The longest head of a reply, in bytes.
pub(super) const MAX: usize = 64 << 10;

/// How many headers a reply may have, and how many trailers.
pub(super) const MAX_HEADERS: usize = 100;

/// Writes a request's head. A body of unknown length is announced as chunked.
pub(super) fn write(head: &request::Parts, chunked: bool, to: &mut Vec<u8>) {
    to.extend_from_slice(head.method.as_str().as_bytes());
    to.push(b' ');
    match (head.uri.scheme(), head.uri.path_and_query()) {
        (None, Some(path)) => to.extend_from_slice(path.as_str().as_bytes()),
        _ => to.extend_from_slice(head.uri.to_string().as_bytes()),
    }
    to.extend_from_slice(b" HTTP/1.1\r\n");
    head.headers.iter().for_each(|(name, value)| write_header(name, value, to));
    if chunked {
        to.extend_from_slice(b"transfer-encoding: chunked\r\n");
    }
    to.extend_from_slice(b"\r\n");
}

/// Writes the line of a header or trailer.
pub(super) fn write_header(name: &HeaderName, value: &HeaderValue, to: &mut Vec<u8>) {
    to.extend_from_slice(name.as_str().as_bytes());
    to.extend_from_slice(b": ");
    to.extend_from_slice(value.as_bytes());
    to.extend_from_slice(b"\r\n");
}

/// The trailers that a request announces. What a receiver could take for a header that matters is none (RFC 9110, 6.5.1),
/// nor is what only the gateway says.
pub(super) fn announced_trailers(headers: &HeaderMap) -> Vec<HeaderName> {
    const NEVER: [HeaderName; 12] = [
        header::AUTHORIZATION,
        header::CACHE_CONTROL,
        header::CONTENT_ENCODING,
        header::CONTENT_LENGTH,
        header::CONTENT_RANGE,
        header::CONTENT_TYPE,
        header::HOST,
        header::MAX_FORWARDS,
        header::SET_COOKIE,
        header::TE,
        header::TRAILER,
        header::TRANSFER_ENCODING,
    ];
    let lines = headers.get_all(header::TRAILER).iter();
    let names = lines.filter_map(|line| line.to_str().ok()).flat_map(|line| line.split(','));
    let names = names.filter_map(|name| name.trim().parse::<HeaderName>().ok());
    let mut names: Vec<_> =
        names.filter(|name| !NEVER.contains(name) && !name.as_str().starts_with("callgate-")).collect();
    names.sort_unstable_by(|one, other| one.as_str().cmp(other.as_str()));
    names.dedup();
    names
}

/// Writes the line in front of a chunk.
pub(super) fn write_chunk_size(size: usize, to: &mut Vec<u8>) {
    to.extend_from_slice(format!("{size:x}\r\n").as_bytes());
}

/// Takes the head of a reply off what was read, if it is complete. `former` is how much of it was looked at before in
/// vain. Its headers take the place of those in `space`, whose memory is used again.
pub(super) fn read(
    from: &mut BytesMut,
    former: usize,
    space: &mut HeaderMap,
) -> Result<Option<response::Parts>, Broken> {
    if former > 0 && !may_be_complete(from, former) {
        return Ok(None);
    }
    let mut lines = [const { MaybeUninit::uninit() }; MAX_HEADERS];
    let mut reply = httparse::Response::new(&mut []);
    let parsed = ParserConfig::default().parse_response_with_uninit_headers(&mut reply, from, &mut lines);
    let length = match parsed.map_err(malformed)? {
        Status::Complete(length) if length <= MAX => length,
        Status::Complete(_) => return Err(Broken::HeadTooLong),
        Status::Partial => return Ok(None),
    };
    let (Some(code), Some(version)) = (reply.code, reply.version) else {
        return Err(Broken::Head(httparse::Error::Status));
    };
    let status = StatusCode::from_u16(code).map_err(|_| Broken::Head(httparse::Error::Status))?;
    let fields = Fields::of(reply.headers, from);
    let mut parts = http::Response::new(()).into_parts().0;
    parts.status = status;
    parts.version = if version == 0 { Version::HTTP_10 } else { Version::HTTP_11 };
    parts.headers = std::mem::take(space);
    parts.headers.clear();
    fields.take(&from.split_to(length).freeze(), &mut parts.headers)?;
    Ok(Some(parts))
}

/// Reads trailers, up to the empty line behind them.
pub(super) fn read_trailers(from: &mut BytesMut) -> Result<Option<HeaderMap>, Broken> {
    let mut lines = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let (length, fields) = match httparse::parse_headers(from, &mut lines).map_err(malformed)? {
        Status::Complete((length, headers)) => (length, Fields::of(headers, from)),
        Status::Partial => return Ok(None),
    };
    let mut trailers = HeaderMap::with_capacity(fields.places.len());
    fields.take(&from.split_to(length).freeze(), &mut trailers)?;
    Ok(Some(trailers))
}

fn malformed(error: httparse::Error) -> Broken {
    match error {
        httparse::Error::TooManyHeaders => Broken::HeadTooLong,
        error => Broken::Head(error),
    }
}

/// Whether the connection goes on after this reply, as its head says (RFC 9112, 9.3).
pub(super) fn keeps_open(head: &response::Parts) -> bool {
    let is_close = |line: &HeaderValue| {
        line.as_bytes().split(|byte| *byte == b',').any(|option| option.trim_ascii().eq_ignore_ascii_case(b"close"))
    };
    head.version == Version::HTTP_11 && !head.headers.get_all(header::CONNECTION).iter().any(is_close)
}

/// Whether an empty line stands behind what was looked at before, so that a head that comes byte by byte is not read anew
/// each time.
fn may_be_complete(bytes: &[u8], former: usize) -> bool {
    let new = bytes.get(former.saturating_sub(3)..).unwrap_or_default();
    new.windows(2).any(|pair| pair == b"\n\n") || new.windows(3).any(|three| three == b"\n\r\n")
}

/// Where the names and values of headers stand.
struct Fields {
    places: smallvec::SmallVec<[[u32; 4]; 24]>,
}

impl Fields {
    fn of(headers: &[Header<'_>], within: &[u8]) -> Self {
        let start = within.as_ptr().addr();
        #[allow(clippy::cast_possible_truncation, reason = "a head is shorter")]
        let place = |part: &[u8]| (part.as_ptr().addr().saturating_sub(start)) as u32;
        #[allow(clippy::cast_possible_truncation, reason = "a head is shorter")]
        let length = |part: &[u8]| part.len() as u32;
        let places = headers.iter().map(|header| {
            let name = header.name.as_bytes();
            [place(name), length(name), place(header.value), length(header.value)]
        });
        Self { places: places.collect() }
    }

    /// Adds the headers, whose values share the memory of the head.
    fn take(&self, head: &Bytes, headers: &mut HeaderMap) -> Result<(), Broken> {
        for [name, name_length, value, value_length] in &self.places {
            let range = |start: &u32, length: &u32| *start as usize..*start as usize + *length as usize;
            let name = HeaderName::from_bytes(&head[range(name, name_length)])
                .map_err(|_| Broken::Head(httparse::Error::HeaderName))?;
            let value = HeaderValue::from_maybe_shared(head.slice(range(value, value_length)))
                .map_err(|_| Broken::Head(httparse::Error::HeaderValue))?;
            // It says what holds anyway.
            if name == header::CONNECTION && value.as_bytes().eq_ignore_ascii_case(b"keep-alive") {
                continue;
            }
            headers.append(name, value);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_all(text: &str) -> Result<Option<response::Parts>, Broken> {
        read(&mut BytesMut::from(text), 0, &mut HeaderMap::new())
    }

    #[test]
    fn a_head_is_taken_off_and_what_follows_is_left() {
        let mut bytes = BytesMut::from("HTTP/1.1 200 OK\r\na: 1\r\nA: 2\r\nb:\r\n\r\nbody");
        let mut former = HeaderMap::from_iter([(header::HOST, HeaderValue::from_static("a"))]);
        let head = read(&mut bytes, 0, &mut former).unwrap().unwrap();
        assert!(!head.headers.contains_key("host"));
        assert_eq!((head.status, head.version), (StatusCode::OK, Version::HTTP_11));
        assert_eq!(head.headers.get_all("a").iter().collect::<Vec<_>>(), ["1", "2"]);
        assert_eq!(head.headers["b"], "");
        assert_eq!(bytes, "body");
    }

    #[test]
    fn a_head_in_pieces_is_read_when_it_is_whole() {
        let whole = "HTTP/1.0 404 Not Found\r\nx: y\r\n\r\n";
        let mut bytes = BytesMut::new();
        for (index, byte) in whole.bytes().enumerate() {
            let former = bytes.len();
            bytes.extend_from_slice(&[byte]);
            let head = read(&mut bytes, former, &mut HeaderMap::new()).unwrap();
            assert_eq!(head.is_some(), index + 1 == whole.len(), "{index}");
        }
    }

    #[test]
    fn the_connection_stays_open_unless_it_is_said_or_old() {
        for (text, keeps) in [
            ("HTTP/1.1 200 OK\r\n\r\n", true),
            ("HTTP/1.1 200 OK\r\nconnection: keep-alive\r\n\r\n", true),
            ("HTTP/1.1 200 OK\r\nconnection: x, Close\r\n\r\n", false),
            ("HTTP/1.1 200 OK\r\nconnection: x\r\nconnection: close\r\n\r\n", false),
            ("HTTP/1.0 200 OK\r\nconnection: keep-alive\r\n\r\n", false),
        ] {
            assert_eq!(keeps_open(&read_all(text).unwrap().unwrap()), keeps, "{text}");
        }
    }

    #[test]
    fn trailers_are_those_announced_that_may_be_trailers() {
        let request = http::Request::get("/")
            .header("trailer", "x-b, Authorization, x-a")
            .header("trailer", "x-a, callgate-reason, content-type")
            .body(())
            .unwrap();
        assert_eq!(announced_trailers(request.headers()), ["x-a", "x-b"]);
    }

    #[test]
    fn a_request_is_written_as_it_is() {
        let request = http::Request::post("/a?b=c").header("x-a", "1").header("x-a", "2").body(()).unwrap();
        let mut wire = Vec::new();
        write(&request.into_parts().0, true, &mut wire);
        let expected = "POST /a?b=c HTTP/1.1\r\nx-a: 1\r\nx-a: 2\r\ntransfer-encoding: chunked\r\n\r\n";
        assert_eq!(String::from_utf8(wire).unwrap(), expected);
        for (uri, target) in [("*", "*"), ("http://a:1/b?c", "http://a:1/b?c"), ("/", "/")] {
            let request = http::Request::options(uri).body(()).unwrap();
            let mut wire = Vec::new();
            write(&request.into_parts().0, false, &mut wire);
            assert_eq!(String::from_utf8(wire).unwrap(), format!("OPTIONS {target} HTTP/1.1\r\n\r\n"));
        }
    }
}
