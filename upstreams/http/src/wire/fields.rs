//! The lines of headers and trailers.

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue, header};
use httparse::{Header, Status};

use super::{error::WireError, names::Names};

/// How many headers a message may have, and how many trailers.
pub const MAX_HEADERS: usize = 100;

/// Writes the line of a header or trailer.
pub fn write_header(name: &HeaderName, value: &HeaderValue, to: &mut Vec<u8>) {
    to.extend_from_slice(name.as_str().as_bytes());
    to.extend_from_slice(b": ");
    to.extend_from_slice(value.as_bytes());
    to.extend_from_slice(b"\r\n");
}

/// The trailers that a message announces. What a receiver could take for a header that matters is none (RFC 9110, 6.5.1),
/// nor is what only the gateway says.
pub fn announced_trailers(headers: &HeaderMap) -> Vec<HeaderName> {
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

/// Reads trailers, up to the empty line behind them.
pub(super) fn read_trailers(from: &mut BytesMut) -> Result<Option<HeaderMap>, WireError> {
    let mut lines = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut fields = Fields::default();
    let length = match httparse::parse_headers(from, &mut lines)? {
        Status::Complete((length, headers)) => {
            fields.note(headers, from);
            length
        }
        Status::Partial => return Ok(None),
    };
    let mut trailers = HeaderMap::with_capacity(fields.places.len());
    fields.each(&from.split_to(length).freeze(), |name, value| {
        trailers.append(name, value);
        Ok::<_, WireError>(())
    })?;
    Ok(Some(trailers))
}

/// Whether a header that lists options names this one, as `connection: close` does.
pub fn has_option(line: &HeaderValue, option: &[u8]) -> bool {
    line.as_bytes().split(|byte| *byte == b',').any(|named| named.trim_ascii().eq_ignore_ascii_case(option))
}

/// Whether an empty line stands behind what was looked at before, so that a head that comes byte by byte is not read anew
/// each time.
pub fn may_be_complete(bytes: &[u8], former: usize) -> bool {
    let new = bytes.get(former.saturating_sub(3)..).unwrap_or_default();
    new.windows(2).any(|pair| pair == b"\n\n") || new.windows(3).any(|three| three == b"\n\r\n")
}

/// Where the names and values of headers stand.
#[derive(Debug, Default)]
pub struct Fields {
    places: smallvec::SmallVec<[[u32; 4]; 24]>,
}

impl Fields {
    /// Adds the places of what was parsed out of `within`.
    pub fn note(&mut self, headers: &[Header<'_>], within: &[u8]) {
        let start = within.as_ptr().addr();
        #[allow(clippy::cast_possible_truncation, reason = "a head is shorter")]
        let place = |part: &[u8]| (part.as_ptr().addr().saturating_sub(start)) as u32;
        #[allow(clippy::cast_possible_truncation, reason = "a head is shorter")]
        let length = |part: &[u8]| part.len() as u32;
        self.places.extend(headers.iter().map(|header| {
            let name = header.name.as_bytes();
            [place(name), length(name), place(header.value), length(header.value)]
        }));
    }

    /// Hands over the names and values, which share the memory of the head that they were found in, in their order.
    ///
    /// # Errors
    /// One that is none of HTTP, and those of `take`, behind which there are no more.
    pub fn each<E: From<WireError>>(
        &self,
        head: &Bytes,
        mut take: impl FnMut(HeaderName, HeaderValue) -> Result<(), E>,
    ) -> Result<(), E> {
        let range = |start: u32, length: u32| start as usize..start as usize + length as usize;
        Names::with(|names| {
            for &[name, name_length, value, value_length] in &self.places {
                let name = names.read(&head[range(name, name_length)])?;
                let value = HeaderValue::from_maybe_shared(head.slice(range(value, value_length)))
                    .map_err(|_| WireError::Head(httparse::Error::HeaderValue))?;
                take(name, value)?;
            }
            Ok(())
        })
    }
}

/// Whether a `connection` header says what holds anyway.
pub fn is_keep_alive(value: &HeaderValue) -> bool {
    value.as_bytes().eq_ignore_ascii_case(b"keep-alive")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trailers_are_those_announced_that_may_be_trailers() {
        let request = http::Request::get("/")
            .header("trailer", "x-b, Authorization, x-a")
            .header("trailer", "x-a, callgate-reason, content-type")
            .body(())
            .unwrap();
        assert_eq!(announced_trailers(request.headers()), ["x-a", "x-b"]);
    }
}
