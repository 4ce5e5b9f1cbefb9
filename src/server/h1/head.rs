//! The head of a request.

use std::{cell::RefCell, mem::MaybeUninit};

use bytes::BytesMut;
use callgate_http::wire::{
    Delimited, Fields, MAX_HEADERS, WireError, has_option, is_keep_alive, may_be_complete, parse_length,
};
use http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, Version, header, request};
use httparse::{ParserConfig, Status};

/// The longest target: as long as one of `http` can be.
const LONGEST_TARGET: usize = 65_534;

/// For how many requests a thread keeps the memory of headers.
const KEPT: usize = 64;

thread_local! {
    /// The memory of the headers of answered requests. The next one takes what was used last, which the processor's cache
    /// still has.
    static SPACE: RefCell<Vec<HeaderMap>> = const { RefCell::new(Vec::new()) };
}

/// A request's head, and what it says of the connection.
#[derive(Debug)]
pub(super) struct Head {
    pub(super) parts: request::Parts,
    /// How its body ends.
    pub(super) body: Delimited,
    /// Another request may follow.
    pub(super) keeps_open: bool,
    /// The client waits to be asked for the body.
    pub(super) expects_continue: bool,
    /// The client offers to leave HTTP.
    pub(super) offers_upgrade: bool,
    /// The client takes trailers.
    pub(super) takes_trailers: bool,
}

/// Why a head is not answered by anybody but the server.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refusal {
    #[error("the head of the request is no HTTP/1.1: {0}")]
    Malformed(httparse::Error),
    #[error("the target of the request is no URI")]
    Target,
    #[error("the head of the request is too long, or has too many headers")]
    TooLong,
    #[error("the target of the request is too long")]
    TargetTooLong,
    #[error("the `content-length` of the request is no number, or several")]
    Length,
    #[error("the `transfer-encoding` of the request is something else than `chunked`, or of HTTP/1.0")]
    Coding,
}

impl Refusal {
    /// What is answered.
    pub(super) fn status(&self) -> StatusCode {
        match self {
            Self::TooLong => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Self::TargetTooLong => StatusCode::URI_TOO_LONG,
            Self::Malformed(_) | Self::Target | Self::Length | Self::Coding => StatusCode::BAD_REQUEST,
        }
    }
}

impl From<WireError> for Refusal {
    fn from(error: WireError) -> Self {
        match error {
            WireError::Head(error) => Self::Malformed(error),
            _ => Self::TooLong,
        }
    }
}

/// Takes a head of at most `most` bytes off what was read, if it is complete. `seen` is how much of it was looked at before
/// in vain.
pub(super) fn read(from: &mut BytesMut, seen: usize, most: usize) -> Result<Option<Head>, Refusal> {
    let incomplete = |length: usize| if length > most { Err(Refusal::TooLong) } else { Ok(None) };
    if seen > 0 && !may_be_complete(from, seen) {
        return incomplete(from.len());
    }
    let mut lines = [const { MaybeUninit::uninit() }; MAX_HEADERS];
    let mut request = httparse::Request::new(&mut []);
    let parsed = ParserConfig::default().parse_request_with_uninit_headers(&mut request, from, &mut lines);
    let length = match parsed.map_err(WireError::from)? {
        Status::Complete(length) => length,
        Status::Partial => return incomplete(from.len()),
    };
    let (Some(method), Some(target), Some(minor)) = (request.method, request.path, request.version) else {
        return Err(Refusal::Malformed(httparse::Error::Token));
    };
    if length > most {
        return Err(Refusal::TooLong);
    }
    if target.len() > LONGEST_TARGET {
        return Err(Refusal::TargetTooLong);
    }
    let method = Method::from_bytes(method.as_bytes()).map_err(|_| Refusal::Malformed(httparse::Error::Token))?;
    let start = target.as_ptr().addr() - from.as_ptr().addr();
    let target = start..start + target.len();
    let mut fields = Fields::default();
    fields.note(request.headers, from);
    let bytes = from.split_to(length).freeze();

    let mut parts = http::Request::new(()).into_parts().0;
    parts.method = method;
    parts.uri = Uri::from_maybe_shared(bytes.slice(target)).map_err(|_| Refusal::Target)?;
    parts.version = if minor == 0 { Version::HTTP_10 } else { Version::HTTP_11 };
    parts.headers = SPACE.try_with(|space| space.borrow_mut().pop()).ok().flatten().unwrap_or_default();
    let mut said = Said::default();
    fields.each(&bytes, |name, value| {
        let keep = match name {
            header::CONTENT_LENGTH => said.length(&value)?,
            header::TRANSFER_ENCODING => said.coding(&value),
            header::CONNECTION => {
                said.closes |= has_option(&value, b"close");
                said.stays |= has_option(&value, b"keep-alive");
                !is_keep_alive(&value)
            }
            header::EXPECT => {
                said.expects_continue |= value.as_bytes().eq_ignore_ascii_case(b"100-continue");
                true
            }
            header::TE => {
                said.takes_trailers |= has_option(&value, b"trailers");
                true
            }
            header::UPGRADE => {
                said.upgrades = true;
                true
            }
            _ => true,
        };
        if keep {
            parts.headers.append(name, value);
        }
        Ok::<_, Refusal>(())
    })?;
    said.head(parts).map(Some)
}

/// Gives back the memory of headers that are answered.
pub(super) fn give_back(mut headers: HeaderMap) {
    headers.clear();
    let keep = |space: &RefCell<Vec<HeaderMap>>| {
        let mut space = space.borrow_mut();
        if space.len() < KEPT {
            space.push(headers);
        }
    };
    // Nothing while the thread ends.
    SPACE.try_with(keep).ok();
}

/// What the headers say.
#[derive(Default)]
struct Said {
    length: Option<u64>,
    /// Whether the last coding is `chunked`.
    chunked: Option<bool>,
    closes: bool,
    stays: bool,
    expects_continue: bool,
    takes_trailers: bool,
    upgrades: bool,
}

impl Said {
    /// A length that is said again says nothing more, if it is the same; another one could be believed by somebody else.
    fn length(&mut self, value: &HeaderValue) -> Result<bool, Refusal> {
        let length = parse_length(value.as_bytes()).ok_or(Refusal::Length)?;
        match self.length.replace(length) {
            None => Ok(true),
            Some(former) if former == length => Ok(false),
            Some(_) => Err(Refusal::Length),
        }
    }

    fn coding(&mut self, value: &HeaderValue) -> bool {
        let last = value.as_bytes().rsplit(|byte| *byte == b',').next().unwrap_or_default();
        self.chunked = Some(last.trim_ascii().eq_ignore_ascii_case(b"chunked"));
        true
    }

    fn head(self, mut parts: request::Parts) -> Result<Head, Refusal> {
        let is_new = parts.version == Version::HTTP_11;
        let body = match (self.chunked, self.length) {
            (None, length) => Delimited::Length(length.unwrap_or(0)),
            (Some(true), _) if is_new => Delimited::Chunks,
            (Some(_), _) => return Err(Refusal::Coding),
        };
        // What says both may have been read by its length elsewhere: nothing after it is believed (RFC 9112, 6.1).
        let is_ambiguous = self.chunked.is_some() && self.length.is_some();
        if is_ambiguous {
            parts.headers.remove(header::CONTENT_LENGTH);
        }
        Ok(Head {
            parts,
            body,
            keeps_open: !is_ambiguous && !self.closes && (is_new || self.stays),
            expects_continue: self.expects_continue && is_new,
            offers_upgrade: self.upgrades && is_new,
            takes_trailers: self.takes_trailers,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read_all(text: &str) -> Result<Option<Head>, Refusal> {
        read(&mut BytesMut::from(text), 0, 1 << 16)
    }

    fn head(lines: &str) -> Head {
        read_all(&format!("GET / HTTP/1.1\r\n{lines}\r\n")).unwrap().unwrap()
    }

    #[test]
    fn a_head_is_taken_off_and_what_follows_is_left() {
        let mut bytes =
            BytesMut::from("\r\nPOST /a?b HTTP/1.1\r\nhost: x\r\nA: 1\r\na: 2\r\ncontent-length: 4\r\n\r\nbody");
        give_back(HeaderMap::from_iter([(header::COOKIE, HeaderValue::from_static("a"))]));
        let head = read(&mut bytes, 0, 1 << 16).unwrap().unwrap();
        let parts = &head.parts;
        assert_eq!(
            (&parts.method, parts.uri.to_string(), parts.version),
            (&Method::POST, "/a?b".into(), Version::HTTP_11)
        );
        assert_eq!(parts.headers.get_all("a").iter().collect::<Vec<_>>(), ["1", "2"]);
        assert_eq!((parts.headers.len(), head.body, head.keeps_open), (4, Delimited::Length(4), true));
        assert_eq!(bytes, "body");
    }

    #[test]
    fn a_head_in_pieces_is_read_when_it_is_whole() {
        let whole = "GET / HTTP/1.0\r\nx: y\r\n\r\n";
        let mut bytes = BytesMut::new();
        for (index, byte) in whole.bytes().enumerate() {
            let seen = bytes.len();
            bytes.extend_from_slice(&[byte]);
            let head = read(&mut bytes, seen, 1 << 16).unwrap();
            assert_eq!(head.is_some(), index + 1 == whole.len(), "{index}");
        }
    }

    #[test]
    fn a_body_ends_in_one_way_only() {
        assert_eq!(head("").body, Delimited::Length(0));
        assert_eq!(head("content-length: 5\r\ncontent-length: 5\r\n").parts.headers.len(), 1);
        assert_eq!(head("transfer-encoding: gzip, Chunked\r\n").body, Delimited::Chunks);
        for both in [
            "content-length: 5\r\ntransfer-encoding: chunked\r\n",
            "transfer-encoding: chunked\r\ncontent-length: 5\r\n",
        ] {
            let head = head(both);
            assert_eq!((head.body, head.keeps_open), (Delimited::Chunks, false), "{both}");
            assert!(!head.parts.headers.contains_key("content-length"), "{both}");
        }
        for wrong in [
            "content-length: 5\r\ncontent-length: 6\r\n",
            "content-length: 5, 5\r\n",
            "content-length: +5\r\n",
            "content-length:\r\n",
            "transfer-encoding: chunked, gzip\r\n",
            "transfer-encoding: chunked\r\ntransfer-encoding: gzip\r\n",
        ] {
            let refused = read_all(&format!("GET / HTTP/1.1\r\n{wrong}\r\n"));
            assert!(matches!(refused, Err(Refusal::Length | Refusal::Coding)), "{wrong}");
        }
        assert!(read_all("GET / HTTP/1.0\r\ntransfer-encoding: chunked\r\n\r\n").is_err());
    }

    #[test]
    fn the_connection_stays_as_the_version_and_the_client_say() {
        for (version, lines, keeps) in [
            ("1.1", "", true),
            ("1.1", "connection: keep-alive\r\n", true),
            ("1.1", "connection: x, Close\r\n", false),
            ("1.1", "connection: close\r\nconnection: keep-alive\r\n", false),
            ("1.0", "", false),
            ("1.0", "connection: Keep-Alive\r\n", true),
            ("1.0", "connection: keep-alive, close\r\n", false),
        ] {
            let head = read_all(&format!("GET / HTTP/{version}\r\n{lines}\r\n")).unwrap().unwrap();
            assert_eq!(head.keeps_open, keeps, "{version} {lines}");
        }
    }

    #[test]
    fn what_is_of_http_1_1_is_not_believed_of_http_1_0() {
        let lines = "expect: 100-Continue\r\nupgrade: websocket\r\nte: gzip, trailers\r\n";
        let new = head(lines);
        assert!(new.expects_continue && new.offers_upgrade && new.takes_trailers);
        let old = read_all(&format!("GET / HTTP/1.0\r\n{lines}\r\n")).unwrap().unwrap();
        assert!(!old.expects_continue && !old.offers_upgrade);
    }

    #[test]
    fn a_head_has_its_bound_whether_it_ends_or_not() {
        let bound = |text: &str, most| read(&mut BytesMut::from(text), 0, most);
        let whole = "GET / HTTP/1.1\r\n\r\n";
        assert!(bound(whole, whole.len()).unwrap().is_some());
        assert!(matches!(bound(whole, whole.len() - 1), Err(Refusal::TooLong)));
        assert!(matches!(bound("GET / HTTP/1.1\r\na: b", 10), Err(Refusal::TooLong)));
        assert!(bound("GET / HTTP/1.1\r\na: b", 100).unwrap().is_none());
    }

    /// What a text is read as when it comes in pieces of these sizes: the head's lines and how much is left of the text, or
    /// whether it is refused.
    fn outcome(wire: &[u8], sizes: &[usize]) -> Option<Result<(String, usize), ()>> {
        let (mut buffer, mut left, mut seen) = (BytesMut::new(), wire, 0);
        let mut sizes = sizes.iter().copied();
        while !left.is_empty() {
            let (piece, rest) = left.split_at(sizes.next().unwrap_or(left.len()).min(left.len()));
            buffer.extend_from_slice(piece);
            left = rest;
            match read(&mut buffer, seen, 200) {
                Ok(None) => seen = buffer.len(),
                Ok(Some(head)) => return Some(Ok((format!("{head:?}"), buffer.len() + left.len()))),
                Err(_) => return Some(Err(())),
            }
        }
        None
    }

    fn text() -> impl Strategy<Value = Vec<u8>> {
        let tokens = [
            "GET ",
            "POST ",
            "/a",
            " HTTP/1.1",
            " HTTP/1.0",
            "\r\n",
            "\r\n",
            "\n",
            "\r\n\r\n",
            "host: a",
            "content-length: ",
            "3",
            "transfer-encoding: ",
            "chunked",
            "connection: close",
            ": ",
            " ",
            "x",
            "\0",
            "\u{e9}",
        ];
        let token = proptest::sample::select(tokens.to_vec()).prop_map(|token| token.as_bytes().to_vec());
        let any = proptest::collection::vec(any::<u8>(), 1..3);
        let begun = proptest::sample::select(vec!["", "GET / HTTP/1.1\r\n", "POST /a HTTP/1.0\r\nhost: a\r\n"]);
        let rest = proptest::collection::vec(prop_oneof![9 => token, 1 => any], 0..16);
        (begun, rest).prop_map(|(begun, rest)| [begun.as_bytes().to_vec(), rest.concat()].concat())
    }

    proptest! {
        #[test]
        fn a_head_means_the_same_in_any_pieces(wire in text(), sizes in proptest::collection::vec(1_usize..6, 0..60)) {
            // What is malformed before the empty line may be refused at once, or with that line.
            let wire = [wire, b"\r\n\r\n".to_vec()].concat();
            prop_assert_eq!(outcome(&wire, &sizes), outcome(&wire, &[]));
        }
    }
}
