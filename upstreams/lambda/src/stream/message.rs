//! The framing of AWS event streams (`application/vnd.amazon.eventstream`): messages of headers and a payload.
//!
//! A payload is given out as it comes, so that a message needs no more memory than its headers; its checksum is that of
//! what was given out, and is checked at its end.
//! Specification: <https://smithy.io/2.0/aws/amazon-eventstream.html>.

use bytes::{Buf, Bytes, BytesMut};
use crc32fast::Hasher;

/// Lengths of the whole message and of its headers, and the checksum of both.
const PRELUDE: usize = 12;
/// The checksum at a message's end.
const CHECKSUM: usize = 4;
/// The most bytes of headers that a message may have.
const MAX_HEADERS: usize = 128 * 1024;

/// A part of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Part {
    /// A message begins.
    Begin(Kind),
    /// Bytes of its payload.
    Payload(Bytes),
    /// It is complete, and its checksum is right.
    End,
}

/// What a message is, as its headers say.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Kind {
    /// `event`, `exception` or `error`.
    pub(super) message: String,
    /// The name of the event, the exception or the error.
    pub(super) name: String,
    /// What an `error` says.
    pub(super) text: String,
}

/// What is no event stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Malformed {
    #[error("a checksum of the event stream is wrong")]
    Checksum,
    #[error("a length in the event stream is impossible")]
    Length,
    #[error("a header in the event stream is malformed")]
    Header,
}

/// Takes messages apart as their bytes come.
pub(super) struct Decoder {
    state: State,
    /// Bytes of something that is needed whole: prelude, headers, checksum.
    held: BytesMut,
    checksum: Hasher,
}

#[derive(Debug)]
enum State {
    Prelude,
    Headers { length: usize, payload: usize },
    Payload { left: usize },
    Checksum,
}

impl Decoder {
    pub(super) fn new() -> Self {
        Self { state: State::Prelude, held: BytesMut::new(), checksum: Hasher::new() }
    }

    /// Whether the last message is complete.
    #[cfg(test)]
    pub(super) fn is_between(&self) -> bool {
        matches!(self.state, State::Prelude) && self.held.is_empty()
    }

    /// The next part, taken from the front of `input`; `None` when more is needed.
    pub(super) fn next(&mut self, input: &mut Bytes) -> Result<Option<Part>, Malformed> {
        loop {
            match self.state {
                State::Prelude => {
                    let Some(prelude) = self.take(PRELUDE, input) else { return Ok(None) };
                    let (length, payload) = self.lengths(&prelude)?;
                    self.state = State::Headers { length, payload };
                }
                State::Headers { length, payload } => {
                    let Some(headers) = self.take(length, input) else { return Ok(None) };
                    self.checksum.update(&headers);
                    self.state = State::Payload { left: payload };
                    return Ok(Some(Part::Begin(kind(headers)?)));
                }
                State::Payload { left: 0 } => self.state = State::Checksum,
                State::Payload { left } => {
                    if input.is_empty() {
                        return Ok(None);
                    }
                    let bytes = input.split_to(left.min(input.len()));
                    self.checksum.update(&bytes);
                    self.state = State::Payload { left: left - bytes.len() };
                    return Ok(Some(Part::Payload(bytes)));
                }
                State::Checksum => {
                    let Some(mut stated) = self.take(CHECKSUM, input) else { return Ok(None) };
                    let found = std::mem::take(&mut self.checksum).finalize();
                    self.state = State::Prelude;
                    return if stated.get_u32() == found { Ok(Some(Part::End)) } else { Err(Malformed::Checksum) };
                }
            }
        }
    }

    /// So many bytes from what is held and from the input, once they are all there.
    fn take(&mut self, length: usize, input: &mut Bytes) -> Option<Bytes> {
        if self.held.is_empty() && input.len() >= length {
            return Some(input.split_to(length));
        }
        let missing = length.saturating_sub(self.held.len());
        self.held.extend_from_slice(&input.split_to(missing.min(input.len())));
        (self.held.len() == length).then(|| self.held.split().freeze())
    }

    /// The lengths of headers and payload.
    fn lengths(&mut self, prelude: &Bytes) -> Result<(usize, usize), Malformed> {
        let mut fields = prelude.clone();
        let (total, headers, stated) = (fields.get_u32(), fields.get_u32(), fields.get_u32());
        self.checksum.update(&prelude[..PRELUDE - CHECKSUM]);
        if self.checksum.clone().finalize() != stated {
            return Err(Malformed::Checksum);
        }
        self.checksum.update(&prelude[PRELUDE - CHECKSUM..]);
        let length = |bytes| usize::try_from(bytes).map_err(|_| Malformed::Length);
        let (total, headers) = (length(total)?, length(headers)?);
        let payload = total.checked_sub(PRELUDE + CHECKSUM).and_then(|rest| rest.checked_sub(headers));
        match payload {
            Some(payload) if headers <= MAX_HEADERS => Ok((headers, payload)),
            _ => Err(Malformed::Length),
        }
    }
}

/// Reads the headers that say what a message is, and passes over the others.
fn kind(mut headers: Bytes) -> Result<Kind, Malformed> {
    let mut kind = Kind::default();
    while headers.has_remaining() {
        let name_length = usize::from(headers.get_u8());
        let name = take(&mut headers, name_length)?;
        let value = value(&mut headers)?;
        let field = match &name[..] {
            b":message-type" => &mut kind.message,
            b":event-type" | b":exception-type" | b":error-code" => &mut kind.name,
            b":error-message" => &mut kind.text,
            _ => continue,
        };
        *field = String::from_utf8(value.to_vec()).map_err(|_| Malformed::Header)?;
    }
    Ok(kind)
}

/// The bytes of a header's value, whatever its type.
fn value(headers: &mut Bytes) -> Result<Bytes, Malformed> {
    let length = match headers.try_get_u8().map_err(|_| Malformed::Header)? {
        // true, false
        0 | 1 => 0,
        2 => 1,
        3 => 2,
        4 => 4,
        // long, timestamp
        5 | 8 => 8,
        // bytes, string
        6 | 7 => usize::from(headers.try_get_u16().map_err(|_| Malformed::Header)?),
        // UUID
        9 => 16,
        _ => return Err(Malformed::Header),
    };
    take(headers, length)
}

fn take(from: &mut Bytes, length: usize) -> Result<Bytes, Malformed> {
    if from.len() < length { Err(Malformed::Header) } else { Ok(from.split_to(length)) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{super::tests, *};

    fn written(payload: &[u8]) -> Vec<u8> {
        tests::written("event", "PayloadChunk", payload)
    }

    /// A message's name and payload.
    type Read = (String, Vec<u8>);

    /// The names and payloads of all messages, and whether the last one is complete.
    fn read<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Result<(Vec<Read>, bool), Malformed> {
        let mut decoder = Decoder::new();
        let mut found: Vec<Read> = Vec::new();
        for piece in pieces {
            let mut input = Bytes::copy_from_slice(piece);
            while let Some(part) = decoder.next(&mut input)? {
                match part {
                    Part::Begin(kind) => found.push((kind.name, Vec::new())),
                    Part::Payload(bytes) => found.last_mut().unwrap().1.extend_from_slice(&bytes),
                    Part::End => {}
                }
            }
            assert!(input.is_empty(), "what is not understood yet is held");
        }
        Ok((found, decoder.is_between()))
    }

    proptest! {
        #[test]
        fn messages_of_the_official_crate_are_read_however_they_are_divided(
            payloads in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 1..4),
            size in 1_usize..100,
        ) {
            let bytes: Vec<_> = payloads.iter().flat_map(|payload| written(payload)).collect();
            let (found, whole) = read(bytes.chunks(size)).unwrap();
            prop_assert!(whole);
            let found: Vec<_> = found.into_iter().map(|(name, payload)| {
                assert_eq!(name, "PayloadChunk");
                payload
            }).collect();
            prop_assert_eq!(found, payloads);
        }

        #[test]
        fn a_changed_byte_is_noticed(payload in prop::collection::vec(any::<u8>(), 0..50), at: prop::sample::Index, bit in 0..8) {
            let mut bytes = written(&payload);
            let at = at.index(bytes.len());
            bytes[at] ^= 1_u8 << bit;
            prop_assert!(!matches!(read([&bytes[..]]), Ok((_, true))));
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes in any::<Vec<u8>>()) {
            read([&bytes[..]]).ok();
        }

        #[test]
        fn any_headers_are_read_or_refused(bytes in any::<Vec<u8>>()) {
            kind(bytes.into()).ok();
        }
    }

    #[test]
    fn a_payload_is_given_out_before_its_message_is_complete() {
        let bytes = written(&[b'x'; 1000]);
        let (found, whole) = read([&bytes[..500]]).unwrap();
        assert!(!found[0].1.is_empty() && !whole);
    }

    #[test]
    fn impossible_lengths_are_refused_before_anything_is_held() {
        for (total, headers) in [(15_u32, 0_u32), (20, 5), (u32::MAX, u32::MAX), (u32::MAX, 200_000)] {
            let mut bytes = [total.to_be_bytes(), headers.to_be_bytes()].concat();
            let checksum = crc32fast::hash(&bytes);
            bytes.extend_from_slice(&checksum.to_be_bytes());
            assert_eq!(read([&bytes[..]]), Err(Malformed::Length));
        }
    }
}
