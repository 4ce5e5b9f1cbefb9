//! The body of a reply, as its head delimits it.

use bytes::{Bytes, BytesMut};
use http_body::{Frame, SizeHint};

use super::{
    broken::Broken,
    chunked::{Chunked, Piece},
};
use crate::framing::Delimited;

/// How much of a reply's body is still to come.
#[derive(Debug)]
pub(super) enum Decoder {
    Length(u64),
    Chunked(Chunked),
    UntilClose,
    Done,
}

/// What can be had of a body at the moment.
#[derive(Debug)]
pub(super) enum Decoded {
    Frame(Frame<Bytes>),
    /// More has to be read.
    More,
    End,
}

impl Decoder {
    pub(super) fn new(delimited: Delimited) -> Self {
        match delimited {
            Delimited::Length(0) => Self::Done,
            Delimited::Length(length) => Self::Length(length),
            Delimited::Chunks => Self::Chunked(Chunked::default()),
            Delimited::Close => Self::UntilClose,
        }
    }

    pub(super) fn is_done(&self) -> bool {
        matches!(self, Self::Done)
    }

    /// Takes what is there of the body off what was read.
    pub(super) fn next(&mut self, from: &mut BytesMut) -> Result<Decoded, Broken> {
        let data = match self {
            Self::Done => return Ok(Decoded::End),
            Self::Length(_) | Self::UntilClose if from.is_empty() => return Ok(Decoded::More),
            Self::UntilClose => from.split().freeze(),
            Self::Length(left) => {
                let data = take(from, left);
                if *left == 0 {
                    *self = Self::Done;
                }
                data
            }
            Self::Chunked(chunked) => match chunked.next(from)? {
                Piece::Data(data) => data,
                Piece::More => return Ok(Decoded::More),
                Piece::End(trailers) => {
                    *self = Self::Done;
                    return Ok(trailers.map_or(Decoded::End, |trailers| Decoded::Frame(Frame::trailers(trailers))));
                }
            },
        };
        Ok(Decoded::Frame(Frame::data(data)))
    }

    /// The peer sends nothing more. Only a body that ends with the connection is whole then.
    pub(super) fn close(&mut self) -> Result<(), Broken> {
        match self {
            Self::UntilClose | Self::Done => {
                *self = Self::Done;
                Ok(())
            }
            Self::Length(_) | Self::Chunked(_) => Err(Broken::Cut),
        }
    }

    pub(super) fn size_hint(&self) -> SizeHint {
        match self {
            Self::Length(left) => SizeHint::with_exact(*left),
            Self::Done => SizeHint::with_exact(0),
            Self::Chunked(_) | Self::UntilClose => SizeHint::default(),
        }
    }
}

/// Takes off what was read, as far as it belongs to the `left` bytes.
pub(super) fn take(from: &mut BytesMut, left: &mut u64) -> Bytes {
    let taken = usize::try_from(*left).unwrap_or(usize::MAX).min(from.len());
    *left -= taken as u64;
    from.split_to(taken).freeze()
}
