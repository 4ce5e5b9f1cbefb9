//! What a peer has sent and nobody has taken.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::BytesMut;
use tokio::io::AsyncRead;
use tokio_util::io::poll_read_buf;

/// How much is read at once: as much as comes, within these bounds. What a fast peer has sent waits in the system rather than
/// here, where it would be memory of every peer at the other side that reads slowly.
const LEAST: usize = 8 << 10;
const MOST: usize = 64 << 10;

/// What was read of a connection and is not taken yet.
#[derive(Debug)]
pub struct Arrived {
    /// The bytes, to be taken off.
    pub bytes: BytesMut,
    /// How much is read at once.
    size: usize,
    /// The bytes may lie in a large buffer.
    has_grown: bool,
}

impl Default for Arrived {
    fn default() -> Self {
        Self { bytes: BytesMut::new(), size: LEAST, has_grown: false }
    }
}

impl Arrived {
    /// As much as is read at once at most, in bytes.
    pub const MOST: usize = MOST;

    /// Reads what has come; 0 when the peer sends nothing more.
    ///
    /// # Errors
    /// The stream fails.
    pub fn poll_more(
        &mut self,
        stream: &mut (impl AsyncRead + Unpin),
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        if self.bytes.capacity() - self.bytes.len() < self.size / 4 {
            self.bytes.reserve(self.size);
            self.has_grown |= self.size > LEAST;
        }
        let space = self.bytes.capacity() - self.bytes.len();
        let count = ready!(poll_read_buf(Pin::new(stream), cx, &mut self.bytes))?;
        if count == space {
            self.size = (self.size * 2).min(MOST);
        } else if count < self.size / 4 {
            self.size = (self.size / 2).max(LEAST);
        }
        Poll::Ready(Ok(count))
    }

    /// With nothing left to take: gives back memory that an unused connection does not need.
    pub fn shrink(&mut self) {
        if self.has_grown {
            *self = Self::default();
        }
    }
}
