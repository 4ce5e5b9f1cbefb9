//! The heads of messages: a request's is written, a reply's is read.

use std::mem::MaybeUninit;

use bytes::BytesMut;
use http::{HeaderMap, Request, StatusCode, Version, header, response};
use httparse::{ParserConfig, Status};

use super::broken::Broken;
use crate::{
    framing::Said,
    wire::{Fields, MAX_HEADERS, Stated, WireError, has_option, is_keep_alive, may_be_complete, write_header},
};

/// The longest head of a reply, in bytes.
pub(super) const MAX: usize = 64 << 10;

/// Writes a request's head. A body of unknown length is announced as chunked.
pub(super) fn write<B>(request: &Request<B>, chunked: bool, to: &mut Vec<u8>) {
    to.extend_from_slice(request.method().as_str().as_bytes());
    to.push(b' ');
    let uri = request.uri();
    match (uri.scheme(), uri.path_and_query()) {
        (None, Some(path)) => to.extend_from_slice(path.as_str().as_bytes()),
        _ => to.extend_from_slice(uri.to_string().as_bytes()),
    }
    to.extend_from_slice(b" HTTP/1.1\r\n");
    request.headers().iter().for_each(|(name, value)| write_header(name, value, to));
    if chunked {
        to.extend_from_slice(b"transfer-encoding: chunked\r\n");
    }
    to.extend_from_slice(b"\r\n");
}

/// The head of a reply.
#[derive(Debug)]
pub(super) struct Head {
    pub(super) parts: response::Parts,
    /// What it says of its body's end.
    pub(super) said: Said,
    /// The connection goes on after the reply (RFC 9112, 9.3).
    pub(super) keeps_open: bool,
}

/// Takes the head of a reply off what was read, if it is complete. `former` is how much of it was looked at before in
/// vain. Its headers take the place of those in `space`, whose memory is used again.
pub(super) fn read(from: &mut BytesMut, former: usize, space: &mut HeaderMap) -> Result<Option<Head>, Broken> {
    if former > 0 && !may_be_complete(from, former) {
        return Ok(None);
    }
    let mut lines = [const { MaybeUninit::uninit() }; MAX_HEADERS];
    let mut reply = httparse::Response::new(&mut []);
    let parsed = ParserConfig::default().parse_response_with_uninit_headers(&mut reply, from, &mut lines);
    let length = match parsed.map_err(WireError::from)? {
        Status::Complete(length) if length <= MAX => length,
        Status::Complete(_) => return Err(WireError::HeadTooLong.into()),
        Status::Partial => return Ok(None),
    };
    let (Some(code), Some(version)) = (reply.code, reply.version) else {
        return Err(WireError::Head(httparse::Error::Status).into());
    };
    let status = StatusCode::from_u16(code).map_err(|_| WireError::Head(httparse::Error::Status))?;
    let mut fields = Fields::default();
    fields.note(reply.headers, from);
    let mut parts = http::Response::new(()).into_parts().0;
    parts.status = status;
    parts.version = if version == 0 { Version::HTTP_10 } else { Version::HTTP_11 };
    parts.headers = std::mem::take(space);
    parts.headers.clear();
    let mut said = Said { length: Stated::Nothing, coding: false };
    let mut keeps_open = version != 0;
    fields.each(&from.split_to(length).freeze(), |name, value| {
        match name {
            header::CONTENT_LENGTH => said.length = said.length.and(&value),
            header::TRANSFER_ENCODING => said.coding = true,
            header::CONNECTION if is_keep_alive(&value) => return Ok(()),
            header::CONNECTION => keeps_open &= !has_option(&value, b"close"),
            _ => {}
        }
        parts.headers.append(name, value);
        Ok::<_, WireError>(())
    })?;
    Ok(Some(Head { parts, said, keeps_open }))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn read_all(text: &str) -> Result<Option<Head>, Broken> {
        read(&mut BytesMut::from(text), 0, &mut HeaderMap::new())
    }

    #[test]
    fn a_head_is_taken_off_and_what_follows_is_left() {
        let mut bytes = BytesMut::from("HTTP/1.1 200 OK\r\na: 1\r\nA: 2\r\nb:\r\n\r\nbody");
        let mut former = HeaderMap::from_iter([(header::HOST, HeaderValue::from_static("a"))]);
        let head = read(&mut bytes, 0, &mut former).unwrap().unwrap().parts;
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
            assert_eq!(read_all(text).unwrap().unwrap().keeps_open, keeps, "{text}");
        }
    }

    #[test]
    fn a_request_is_written_as_it_is() {
        let request = http::Request::post("/a?b=c").header("x-a", "1").header("x-a", "2").body(()).unwrap();
        let mut wire = Vec::new();
        write(&request, true, &mut wire);
        let expected = "POST /a?b=c HTTP/1.1\r\nx-a: 1\r\nx-a: 2\r\ntransfer-encoding: chunked\r\n\r\n";
        assert_eq!(String::from_utf8(wire).unwrap(), expected);
        for (uri, target) in [("*", "*"), ("http://a:1/b?c", "http://a:1/b?c"), ("/", "/")] {
            let request = http::Request::options(uri).body(()).unwrap();
            let mut wire = Vec::new();
            write(&request, false, &mut wire);
            assert_eq!(String::from_utf8(wire).unwrap(), format!("OPTIONS {target} HTTP/1.1\r\n\r\n"));
        }
    }
}
