//! A body that comes in, as its head delimits it.

use bytes::{Bytes, BytesMut};
use http_body::{Frame, SizeHint};

use super::{
    chunked::{Chunked, Piece},
    error::WireError,
};

/// How a body ends (RFC 9112, 6.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delimited {
    /// After so many bytes.
    Length(u64),
    /// With its last chunk.
    Chunks,
    /// With the connection: only a reply's does.
    Close,
}

/// How much of a body is still to come.
#[derive(Debug)]
pub struct Decoder(Left);

#[derive(Debug)]
enum Left {
    Length(u64),
    Chunked(Chunked),
    UntilClose,
    Nothing,
}

/// What can be had of a body at the moment.
#[derive(Debug)]
pub enum Decoded {
    /// Data, or the trailers behind all of it.
    Frame(Frame<Bytes>),
    /// More has to be read.
    More,
    /// All of it was taken.
    End,
}

impl Decoder {
    /// For a body that ends so.
    pub fn new(delimited: Delimited) -> Self {
        Self(match delimited {
            Delimited::Length(0) => Left::Nothing,
            Delimited::Length(length) => Left::Length(length),
            Delimited::Chunks => Left::Chunked(Chunked::default()),
            Delimited::Close => Left::UntilClose,
        })
    }

    /// For no body.
    pub fn nothing() -> Self {
        Self(Left::Nothing)
    }

    /// Whether all of it was taken.
    pub fn is_done(&self) -> bool {
        matches!(self.0, Left::Nothing)
    }

    /// Takes what is there of the body off what was read.
    ///
    /// # Errors
    /// A chunked coding that is broken.
    pub fn next(&mut self, from: &mut BytesMut) -> Result<Decoded, WireError> {
        let data = match &mut self.0 {
            Left::Nothing => return Ok(Decoded::End),
            Left::Length(_) | Left::UntilClose if from.is_empty() => return Ok(Decoded::More),
            Left::UntilClose => from.split().freeze(),
            Left::Length(left) => {
                let data = take(from, left);
                if *left == 0 {
                    self.0 = Left::Nothing;
                }
                data
            }
            Left::Chunked(chunked) => match chunked.next(from)? {
                Piece::Data(data) => data,
                Piece::More => return Ok(Decoded::More),
                Piece::End(trailers) => {
                    self.0 = Left::Nothing;
                    return Ok(trailers.map_or(Decoded::End, |trailers| Decoded::Frame(Frame::trailers(trailers))));
                }
            },
        };
        Ok(Decoded::Frame(Frame::data(data)))
    }

    /// The peer sends nothing more. Only a body that ends with the connection is whole then.
    ///
    /// # Errors
    /// [`WireError::Cut`] for any other one.
    pub fn close(&mut self) -> Result<(), WireError> {
        match self.0 {
            Left::UntilClose | Left::Nothing => {
                self.0 = Left::Nothing;
                Ok(())
            }
            Left::Length(_) | Left::Chunked(_) => Err(WireError::Cut),
        }
    }

    /// How many bytes are still to come.
    pub fn size_hint(&self) -> SizeHint {
        match self.0 {
            Left::Length(left) => SizeHint::with_exact(left),
            Left::Nothing => SizeHint::with_exact(0),
            Left::Chunked(_) | Left::UntilClose => SizeHint::default(),
        }
    }
}

/// Takes off what was read, as far as it belongs to the `left` bytes.
pub(super) fn take(from: &mut BytesMut, left: &mut u64) -> Bytes {
    let taken = usize::try_from(*left).unwrap_or(usize::MAX).min(from.len());
    *left -= taken as u64;
    from.split_to(taken).freeze()
}
