//! Decoding the content codings of a body (RFC 9110, section 8.4.1), never beyond a limit.

use std::{io::Read, sync::Arc};

/// Codings that one body may have on top of each other.
const LAYERS: usize = 4;

/// The largest window of zstd that a content coding may ask for (RFC 9659).
const ZSTD_WINDOW: u64 = 8 << 20;

/// Why a body cannot be decoded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Undecodable {
    #[error("the decoded body is over the limit of {limit} bytes")]
    TooLarge { limit: u64 },
    #[error("{0}")]
    Broken(Arc<str>),
}

impl Undecodable {
    fn broken(coding: &str) -> Self {
        Self::Broken(format!("the body is not {coding}, as its `content-encoding` says").into())
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Coding {
    Gzip,
    Deflate,
    Brotli,
    Zstd,
}

impl Coding {
    /// The coding of a name, or none for `identity`.
    fn named(name: &str) -> Result<Option<Self>, Undecodable> {
        let is = |known: &str| name.eq_ignore_ascii_case(known);
        Ok(match () {
            () if is("identity") || name.is_empty() => None,
            () if is("gzip") || is("x-gzip") => Some(Self::Gzip),
            () if is("deflate") => Some(Self::Deflate),
            () if is("br") => Some(Self::Brotli),
            () if is("zstd") => Some(Self::Zstd),
            () => {
                let message =
                    "the body is content-encoded in a way that cannot be read (known are gzip, deflate, br and zstd)";
                return Err(Undecodable::Broken(message.into()));
            }
        })
    }

    fn decode(self, bytes: &[u8], limit: u64) -> Result<Vec<u8>, Undecodable> {
        match self {
            Self::Gzip => read(flate2::read::MultiGzDecoder::new(bytes), limit, "gzip"),
            Self::Deflate if is_zlib(bytes) => read(flate2::read::ZlibDecoder::new(bytes), limit, "deflate"),
            // Some senders leave out the wrapper that the name means.
            Self::Deflate => read(flate2::read::DeflateDecoder::new(bytes), limit, "deflate"),
            Self::Brotli => read(brotli_decompressor::Decompressor::new(bytes, 4096), limit, "br"),
            Self::Zstd => zstd(bytes, limit),
        }
    }
}

/// Whether the codings of a `content-encoding` leave the bytes as they are.
pub(crate) fn is_identity(codings: &str) -> bool {
    codings.split(',').all(|coding| Coding::named(coding.trim()).is_ok_and(|coding| coding.is_none()))
}

/// The bytes without the codings of a `content-encoding`, of which the last was applied last.
pub(crate) fn decode(bytes: &[u8], codings: &str, limit: u64) -> Result<Vec<u8>, Undecodable> {
    if codings.split(',').count() > LAYERS {
        return Err(Undecodable::Broken("the body has too many content codings".into()));
    }
    let mut decoded: Option<Vec<u8>> = None;
    for name in codings.rsplit(',') {
        if let Some(coding) = Coding::named(name.trim())? {
            decoded = Some(coding.decode(decoded.as_deref().unwrap_or(bytes), limit)?);
        }
    }
    Ok(decoded.unwrap_or_else(|| bytes.to_vec()))
}

fn read(decoder: impl Read, limit: u64, coding: &str) -> Result<Vec<u8>, Undecodable> {
    let mut decoded = Vec::new();
    decoder.take(limit.saturating_add(1)).read_to_end(&mut decoded).map_err(|_| Undecodable::broken(coding))?;
    if decoded.len() as u64 > limit { Err(Undecodable::TooLarge { limit }) } else { Ok(decoded) }
}

/// Whether bytes begin with a zlib header (RFC 1950).
fn is_zlib(bytes: &[u8]) -> bool {
    matches!(bytes, [method, flags, ..] if method & 15 == 8 && u16::from_be_bytes([*method, *flags]) % 31 == 0)
}

/// All frames of a zstd body.
fn zstd(bytes: &[u8], limit: u64) -> Result<Vec<u8>, Undecodable> {
    let (mut rest, mut decoded) = (bytes, Vec::new());
    while !rest.is_empty() {
        let broken = || Undecodable::broken("zstd");
        match zstd_window(rest).ok_or_else(broken)? {
            Window::Whole(size) if size > limit => return Err(Undecodable::TooLarge { limit }),
            Window::Sliding(size) if size > ZSTD_WINDOW => return Err(broken()),
            Window::Whole(_) | Window::Sliding(_) => {}
        }
        let mut frame = ruzstd::decoding::StreamingDecoder::new(rest).map_err(|_| broken())?;
        let left = limit - decoded.len() as u64;
        decoded.extend(read(&mut frame, left, "zstd").map_err(|error| match error {
            Undecodable::TooLarge { .. } => Undecodable::TooLarge { limit },
            error @ Undecodable::Broken(_) => error,
        })?);
        rest = frame.into_inner();
    }
    Ok(decoded)
}

/// What a decoder sets aside for a frame before it has decoded anything.
enum Window {
    /// The size of the content, which is one segment.
    Whole(u64),
    Sliding(u64),
}

/// The window of a frame's header (RFC 8878, section 3.1.1.1).
fn zstd_window(frame: &[u8]) -> Option<Window> {
    let header = frame.strip_prefix(&[0x28, 0xb5, 0x2f, 0xfd])?;
    let (descriptor, rest) = header.split_first()?;
    if descriptor & 0x20 == 0 {
        let window = rest.first()?;
        let base = 1_u64 << (10 + (window >> 3));
        return Some(Window::Sliding(base + base / 8 * u64::from(window & 7)));
    }
    let dictionary = [0, 1, 2, 4][usize::from(descriptor & 3)];
    let length = 1_usize << (descriptor >> 6);
    let mut size = [0; 8];
    size[..length].copy_from_slice(rest.get(dictionary..dictionary + length)?);
    let size = u64::from_le_bytes(size);
    Some(Window::Whole(if length == 2 { size + 256 } else { size }))
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::{
        Compression,
        write::{DeflateEncoder, GzEncoder, ZlibEncoder},
    };

    use super::*;

    const TEXT: &[u8] = b"hello hello hello hello";
    /// `TEXT` by the reference encoder.
    const BROTLI: &[u8] = &[27, 22, 0, 248, 141, 148, 110, 222, 68, 85, 134, 150, 108, 32, 111, 33, 79, 28, 224, 56];

    fn gzip(text: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    fn zstd_of(text: &[u8]) -> Vec<u8> {
        ruzstd::encoding::compress_to_vec(text, ruzstd::encoding::CompressionLevel::Fastest)
    }

    #[test]
    fn decodes_every_coding() {
        let mut zlib = ZlibEncoder::new(Vec::new(), Compression::fast());
        zlib.write_all(TEXT).unwrap();
        let mut raw = DeflateEncoder::new(Vec::new(), Compression::fast());
        raw.write_all(TEXT).unwrap();
        for (codings, bytes) in [
            ("gzip", gzip(TEXT)),
            ("X-GZIP, identity", gzip(TEXT)),
            ("deflate", zlib.finish().unwrap()),
            ("deflate", raw.finish().unwrap()),
            ("br", BROTLI.to_vec()),
            ("zstd", zstd_of(TEXT)),
            ("zstd", [zstd_of(&TEXT[..5]), zstd_of(&TEXT[5..])].concat()),
            ("identity", TEXT.to_vec()),
        ] {
            assert_eq!(decode(&bytes, codings, 23).as_deref(), Ok(TEXT), "{codings}");
            if codings != "identity" {
                assert_eq!(decode(&bytes, codings, 22), Err(Undecodable::TooLarge { limit: 22 }), "{codings}");
                let cut = decode(&bytes[..bytes.len() - 3], codings, 23);
                assert!(matches!(cut, Err(Undecodable::Broken(_))), "{codings}: {cut:?}");
            }
        }
    }

    #[test]
    fn the_coding_that_was_applied_last_is_decoded_first() {
        assert_eq!(decode(&gzip(&zstd_of(TEXT)), "zstd, gzip", 1 << 10).as_deref(), Ok(TEXT));
        assert!(decode(&gzip(&zstd_of(TEXT)), "gzip, zstd", 1 << 10).is_err());
    }

    #[test]
    fn refuses_what_it_does_not_know() {
        for codings in ["compress", "gzip, aws-chunked", "gzip,gzip,gzip,gzip,gzip"] {
            assert!(matches!(decode(&gzip(TEXT), codings, 1 << 20), Err(Undecodable::Broken(_))), "{codings}");
        }
    }

    #[test]
    fn a_zstd_frame_cannot_ask_for_more_memory_than_the_limit() {
        let whole = [0x28, 0xb5, 0x2f, 0xfd, 0xe0, 0, 0, 0, 0, 1, 0, 0, 0, 0];
        assert_eq!(decode(&whole, "zstd", 1 << 20), Err(Undecodable::TooLarge { limit: 1 << 20 }));
        let window = [0x28, 0xb5, 0x2f, 0xfd, 0, 0xff, 0, 0];
        assert!(matches!(decode(&window, "zstd", 1 << 20), Err(Undecodable::Broken(_))));
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..200), coding in "gzip|deflate|br|zstd") {
            decode(&bytes, &coding, 1 << 16).ok();
            decode(&[&[0x28, 0xb5, 0x2f, 0xfd][..], &bytes].concat(), "zstd", 1 << 16).ok();
        }
    }
}
