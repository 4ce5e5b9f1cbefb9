//! The chunked coding of a body (RFC 9112, 7.1), read strictly.

use bytes::{Buf, Bytes, BytesMut};
use http::HeaderMap;

use super::{decoder::take, error::WireError, fields};

/// How many bytes of extensions a body may have, and its trailers.
const MAX_EXTRA: usize = 16 << 10;

/// As many digits as a size of 64 bits has.
const MAX_DIGITS: usize = 16;

/// How far a chunked body has been read.
#[derive(Debug, Default)]
pub(super) struct Chunked {
    state: State,
    extensions: usize,
}

#[derive(Debug, Default)]
enum State {
    #[default]
    Size,
    /// So much of a chunk is left.
    Data(u64),
    /// The line end behind a chunk.
    DataEnd,
    Trailers,
}

/// What stands next in a chunked body.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Piece {
    Data(Bytes),
    /// The end, with trailers where there are any.
    End(Option<HeaderMap>),
    /// More has to be read.
    More,
}

impl Chunked {
    /// Takes the next piece off what was read.
    pub(super) fn next(&mut self, from: &mut BytesMut) -> Result<Piece, WireError> {
        loop {
            match &mut self.state {
                State::Size => match self.size(from)? {
                    None => return Ok(Piece::More),
                    Some(0) => self.state = State::Trailers,
                    Some(size) => self.state = State::Data(size),
                },
                State::Data(left) => {
                    if from.is_empty() {
                        return Ok(Piece::More);
                    }
                    let data = take(from, left);
                    if *left == 0 {
                        self.state = State::DataEnd;
                    }
                    return Ok(Piece::Data(data));
                }
                State::DataEnd => match from.get(..2) {
                    Some(b"\r\n") => {
                        from.advance(2);
                        self.state = State::Size;
                    }
                    Some(_) => return Err(WireError::Chunk("it is longer than its size")),
                    None => return Ok(Piece::More),
                },
                State::Trailers => return trailers(from),
            }
        }
    }

    /// `size [; extensions] CRLF`
    fn size(&mut self, from: &mut BytesMut) -> Result<Option<u64>, WireError> {
        let Some(end) = from.iter().take(MAX_EXTRA).position(|byte| *byte == b'\n') else {
            return if from.len() < MAX_EXTRA {
                Ok(None)
            } else {
                Err(WireError::Chunk("its extensions are too long"))
            };
        };
        let line = from[..end].strip_suffix(b"\r").ok_or(WireError::Chunk("a line ends without CR"))?;
        let digits = line.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
        let (size, extensions) = line.split_at(digits);
        if digits > MAX_DIGITS
            || !matches!(extensions.trim_ascii_start().first(), None | Some(b';'))
            || extensions.contains(&b'\r')
        {
            return Err(WireError::Chunk("its size is no hexadecimal number"));
        }
        self.extensions += extensions.len();
        if self.extensions > MAX_EXTRA {
            return Err(WireError::Chunk("its extensions are too long"));
        }
        let size = std::str::from_utf8(size).ok().and_then(|size| u64::from_str_radix(size, 16).ok());
        let size = size.ok_or(WireError::Chunk("its size is no hexadecimal number of 64 bits"))?;
        from.advance(end + 1);
        Ok(Some(size))
    }
}

fn trailers(from: &mut BytesMut) -> Result<Piece, WireError> {
    if from.starts_with(b"\r\n") {
        from.advance(2);
        return Ok(Piece::End(None));
    }
    match fields::read_trailers(from)? {
        Some(trailers) => Ok(Piece::End(Some(trailers))),
        None if from.len() < MAX_EXTRA => Ok(Piece::More),
        None => Err(WireError::Chunk("its trailers are too long")),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What a body is read as when it comes in pieces of these sizes.
    fn read(wire: &[u8], pieces: &[usize]) -> Result<(Vec<u8>, Option<HeaderMap>, usize), WireError> {
        let (mut chunked, mut buffer, mut data) = (Chunked::default(), BytesMut::new(), Vec::new());
        let mut left = wire;
        let mut pieces = pieces.iter().copied();
        loop {
            match chunked.next(&mut buffer)? {
                Piece::Data(bytes) => data.extend_from_slice(&bytes),
                Piece::End(trailers) => return Ok((data, trailers, buffer.len() + left.len())),
                Piece::More if left.is_empty() => return Err(WireError::Cut),
                Piece::More => {
                    let (now, later) = left.split_at(pieces.next().unwrap_or(left.len()).min(left.len()));
                    buffer.extend_from_slice(now);
                    left = later;
                }
            }
        }
    }

    proptest! {
        #[test]
        fn a_body_is_the_same_however_it_is_cut(
            chunks in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 1..40), 0..6),
            extension in "(;[a-z]{1,5}(=[a-z]{1,4})?)?",
            pieces in proptest::collection::vec(1_usize..20, 0..60),
        ) {
            let mut wire = Vec::new();
            for chunk in &chunks {
                wire.extend_from_slice(format!("{:X}{extension}\r\n", chunk.len()).as_bytes());
                wire.extend_from_slice(chunk);
                wire.extend_from_slice(b"\r\n");
            }
            wire.extend_from_slice(b"0\r\nx-sum: 1\r\n\r\nnext");
            let (data, trailers, left) = read(&wire, &pieces).unwrap();
            prop_assert_eq!(data, chunks.concat());
            let trailers = trailers.unwrap();
            prop_assert_eq!(&trailers["x-sum"], "1");
            prop_assert_eq!(left, 4);
        }

        #[test]
        fn no_bytes_panic(wire in proptest::collection::vec(any::<u8>(), 0..200), pieces in proptest::collection::vec(1_usize..9, 0..40)) {
            drop(read(&wire, &pieces));
        }
    }

    #[test]
    fn what_could_be_read_in_two_ways_is_refused() {
        for wire in [
            "\r\n",
            "x\r\n",
            "-1\r\n",
            "+5\r\nhello\r\n0\r\n\r\n",
            "0x5\r\nhello\r\n0\r\n\r\n",
            " 5\r\nhello\r\n0\r\n\r\n",
            "5\nhello\r\n0\r\n\r\n",
            "5 5\r\nhello\r\n0\r\n\r\n",
            "5;a\rb\r\nhello\r\n0\r\n\r\n",
            "5\r\nhelloX\r\n0\r\n\r\n",
            "5\r\nhello\n0\r\n\r\n",
            "10000000000000000\r\nhello",
            "00000000000000005\r\nhello\r\n0\r\n\r\n",
            "0\r\nbad trailer: 1\r\n\r\n",
        ] {
            assert!(matches!(read(wire.as_bytes(), &[]), Err(WireError::Chunk(_) | WireError::Head(_))), "{wire:?}");
        }
        assert!(read(b"5 ;a\r\nhello\r\n00\r\n\r\n", &[]).is_ok());
    }

    #[test]
    fn extensions_and_trailers_are_bounded() {
        let long = "x".repeat(MAX_EXTRA);
        assert!(read(format!("5;{long}\r\nhello\r\n0\r\n\r\n").as_bytes(), &[]).is_err());
        let many = "1;xxxxxxxxxxxxxxxx\r\na\r\n".repeat(MAX_EXTRA / 16);
        assert!(read(format!("{many}0\r\n\r\n").as_bytes(), &[]).is_err());
        assert!(read(format!("0\r\na: {long}").as_bytes(), &[]).is_err());
        assert!(read(format!("0\r\n{}\r\n", "a: b\r\n".repeat(fields::MAX_HEADERS + 1)).as_bytes(), &[]).is_err());
    }
}
