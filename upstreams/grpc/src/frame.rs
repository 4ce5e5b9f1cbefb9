//! Length-prefixed messages: how gRPC delimits them in a body, and how large they may get.

use std::io::Read;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use http::HeaderValue;

/// The flag of compression and the message's length.
pub(crate) const PREFIX: usize = 5;

/// Bytes that are no messages.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Malformed {
    #[error("a message is larger than the {limit} bytes that may be held")]
    TooLarge { limit: u64 },
    #[error("a message begins with the flag {0}, which says nothing")]
    Flag(u8),
    #[error("a message is compressed, and nothing says how")]
    Unannounced,
    #[error("a message is compressed as `{0}`, which was not offered")]
    Encoding(String),
    #[error("a compressed message can't be read: {0}")]
    Gzip(String),
    #[error("the body ends within a message")]
    Cut,
}

/// How compressed messages are compressed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Encoding {
    Identity,
    Gzip,
    Other(String),
}

impl Encoding {
    /// What `grpc-encoding` says.
    pub(crate) fn of(value: Option<&HeaderValue>) -> Self {
        match value.map(HeaderValue::as_bytes) {
            None | Some(b"identity") => Self::Identity,
            Some(b"gzip") => Self::Gzip,
            Some(other) => Self::Other(String::from_utf8_lossy(other).into_owned()),
        }
    }
}

/// A message that is not compressed, with its prefix.
pub(crate) fn encode(message: &impl prost::Message) -> Bytes {
    let length = message.encoded_len();
    let mut out = BytesMut::with_capacity(PREFIX + length);
    out.put_u8(0);
    // A message of 4 GiB is beyond every limit of a body.
    out.put_u32(u32::try_from(length).unwrap_or(u32::MAX));
    message.encode_raw(&mut out);
    out.freeze()
}

/// Takes messages out of the pieces of a body. Holds one message and the piece that its end came with at most.
#[derive(Debug)]
pub(crate) struct Decoder {
    held: BytesMut,
    encoding: Encoding,
    /// The most bytes of a message, also after decompression.
    limit: u64,
}

impl Decoder {
    pub(crate) fn new(encoding: Encoding, limit: u64) -> Self {
        Self { held: BytesMut::new(), encoding, limit }
    }

    /// Takes another piece, once [`next`](Self::next) has no more messages.
    pub(crate) fn push(&mut self, piece: &[u8]) {
        self.held.extend_from_slice(piece);
    }

    /// The next message that is whole.
    pub(crate) fn next(&mut self) -> Result<Option<Bytes>, Malformed> {
        let [flag, a, b, c, d, ..] = *self.held else { return Ok(None) };
        let length = u32::from_be_bytes([a, b, c, d]);
        if flag > 1 {
            return Err(Malformed::Flag(flag));
        }
        if u64::from(length) > self.limit {
            return Err(Malformed::TooLarge { limit: self.limit });
        }
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        if self.held.len() - PREFIX < length {
            return Ok(None);
        }
        self.held.advance(PREFIX);
        let message = self.held.split_to(length).freeze();
        if flag == 0 { Ok(Some(message)) } else { self.decompress(&message).map(Some) }
    }

    /// Whether the body may end here.
    pub(crate) fn end(&self) -> Result<(), Malformed> {
        if self.held.is_empty() { Ok(()) } else { Err(Malformed::Cut) }
    }

    fn decompress(&self, message: &[u8]) -> Result<Bytes, Malformed> {
        match &self.encoding {
            Encoding::Identity => Err(Malformed::Unannounced),
            Encoding::Other(other) => Err(Malformed::Encoding(other.clone())),
            Encoding::Gzip => {
                let mut out = Vec::new();
                let mut reader = flate2::read::MultiGzDecoder::new(message).take(self.limit.saturating_add(1));
                reader.read_to_end(&mut out).map_err(|error| Malformed::Gzip(error.to_string()))?;
                if out.len() as u64 > self.limit {
                    return Err(Malformed::TooLarge { limit: self.limit });
                }
                Ok(out.into())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use proptest::prelude::*;

    use super::*;

    fn framed(flag: u8, message: &[u8]) -> Vec<u8> {
        let mut out = vec![flag];
        out.extend_from_slice(&u32::try_from(message.len()).unwrap().to_be_bytes());
        out.extend_from_slice(message);
        out
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    proptest! {
        #[test]
        fn messages_come_out_however_the_body_is_cut(
            messages in proptest::collection::vec((proptest::collection::vec(any::<u8>(), 0..200), any::<bool>()), 0..8),
            cuts in proptest::collection::vec(1_usize..64, 1..40),
        ) {
            let wire: Vec<u8> = messages
                .iter()
                .flat_map(|(message, zipped)| if *zipped { framed(1, &gzip(message)) } else { framed(0, message) })
                .collect();
            let mut decoder = Decoder::new(Encoding::Gzip, 1 << 20);
            let (mut found, mut rest, mut cuts) = (Vec::new(), wire.as_slice(), cuts.iter().cycle());
            while !rest.is_empty() {
                let piece = rest.len().min(*cuts.next().unwrap());
                decoder.push(&rest[..piece]);
                rest = &rest[piece..];
                while let Some(message) = decoder.next().unwrap() {
                    found.push(message.to_vec());
                }
            }
            decoder.end().unwrap();
            prop_assert_eq!(found, messages.into_iter().map(|(message, _)| message).collect::<Vec<_>>());
        }

        #[test]
        fn any_bytes_end_in_bounded_memory(pieces in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..40), 0..20)) {
            let mut decoder = Decoder::new(Encoding::Gzip, 64);
            'pieces: for piece in pieces {
                decoder.push(&piece);
                loop {
                    match decoder.next() {
                        Ok(Some(message)) => prop_assert!(message.len() <= 64),
                        Ok(None) => break,
                        Err(_) => break 'pieces,
                    }
                }
                prop_assert!(decoder.held.len() <= 64 + PREFIX);
            }
        }
    }

    #[test]
    fn what_is_no_message_is_told() {
        let read = |encoding: Encoding, bytes: &[u8]| {
            let mut decoder = Decoder::new(encoding, 4);
            decoder.push(bytes);
            decoder.next()
        };
        assert_eq!(read(Encoding::Identity, &framed(2, b"")), Err(Malformed::Flag(2)));
        assert_eq!(read(Encoding::Identity, &framed(0, b"12345")), Err(Malformed::TooLarge { limit: 4 }));
        assert_eq!(read(Encoding::Identity, &framed(1, b"1")), Err(Malformed::Unannounced));
        assert_eq!(read(Encoding::Other("br".into()), &framed(1, b"1")), Err(Malformed::Encoding("br".into())));
        assert!(matches!(read(Encoding::Gzip, &framed(1, b"1")), Err(Malformed::Gzip(_))));
    }

    #[test]
    fn a_small_message_does_not_unpack_into_a_large_one() {
        let mut decoder = Decoder::new(Encoding::Gzip, 2000);
        decoder.push(&framed(1, &gzip(&vec![0; 1 << 20])));
        assert_eq!(decoder.next(), Err(Malformed::TooLarge { limit: 2000 }));
    }

    #[test]
    fn a_body_that_ends_within_a_message_was_cut() {
        let mut decoder = Decoder::new(Encoding::Identity, 10);
        decoder.push(&framed(0, b"abc")[..6]);
        assert_eq!((decoder.next(), decoder.end()), (Ok(None), Err(Malformed::Cut)));
    }
}
