//! What a peer has sent and nobody has taken.

use std::{
    cell::{Cell, RefCell},
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::BytesMut;
use tokio::io::{AsyncRead, ReadBuf};
use tokio_util::io::poll_read_buf;

/// How much is read at once: as much as this connection's messages have, within these bounds, as a message that comes in one
/// read goes out in one write. What a fast peer has sent beyond that waits in the system rather than here, where it would be
/// memory of every peer at the other side that reads slowly.
const LEAST: usize = 8 << 10;
const MOST: usize = 128 << 10;

thread_local! {
    /// What small messages are read into, before as much is kept of each as it has: the processor's cache holds this one, and
    /// would not hold a buffer of each connection, of which most is never used.
    static DESK: RefCell<[u8; LEAST]> = const { RefCell::new([0; LEAST]) };

    /// The memory of the last message that was read to its end, for the next one of any connection of this thread. Its reader
    /// may still have it, but mostly is done with it by then.
    static SPARE: Cell<Option<BytesMut>> = const { Cell::new(None) };
}

/// What was read of a connection and is not taken yet.
#[derive(Debug)]
pub struct Arrived {
    /// The bytes, to be taken off.
    pub bytes: BytesMut,
    /// How much is read at once.
    size: usize,
    /// The memory was lent to the thread's next message.
    is_lent: bool,
    /// The last read had little. One does not say that the next one has: it may be the end of a message.
    had_little: bool,
}

impl Default for Arrived {
    fn default() -> Self {
        Self { bytes: BytesMut::new(), size: LEAST, is_lent: false, had_little: false }
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
        if self.size == LEAST {
            return DESK.with_borrow_mut(|desk| self.poll_little(desk, stream, cx));
        }
        self.make_room();
        let space = self.bytes.capacity() - self.bytes.len();
        let polled = poll_read_buf(Pin::new(stream), cx, &mut self.bytes);
        match polled {
            Poll::Ready(Ok(count)) => self.learn(count, space),
            Poll::Pending if self.bytes.is_empty() => self.shrink(),
            _ => {}
        }
        polled
    }

    /// Reads over the desk.
    fn poll_little(
        &mut self,
        desk: &mut [u8],
        stream: &mut (impl AsyncRead + Unpin),
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        let mut read = ReadBuf::new(desk);
        ready!(Pin::new(stream).poll_read(cx, &mut read))?;
        let came = read.filled();
        if !came.is_empty() {
            self.keep(came);
            self.learn(came.len(), LEAST);
        }
        Poll::Ready(Ok(came.len()))
    }

    fn keep(&mut self, came: &[u8]) {
        if std::mem::take(&mut self.is_lent)
            && let Some(spare) = SPARE.try_with(Cell::take).ok().flatten()
        {
            self.bytes = spare;
        }
        let (left, space) = (self.bytes.len(), self.bytes.capacity() - self.bytes.len());
        if space < came.len() && !self.bytes.try_reclaim(came.len()) {
            // What comes byte by byte must not be copied at each.
            let mut anew = BytesMut::with_capacity(2 * left + came.len());
            anew.extend_from_slice(&self.bytes);
            self.bytes = anew;
        }
        self.bytes.extend_from_slice(came);
    }

    /// Most of a read's space is there: a message is not split where its head has left less. Memory that nobody else has any
    /// more is used again.
    fn make_room(&mut self) {
        let space = self.bytes.capacity() - self.bytes.len();
        if space < self.size / 4 * 3 && !self.bytes.try_reclaim(self.size) && space < self.size / 4 {
            // `reserve` would take more than is asked for.
            let mut anew = BytesMut::with_capacity(self.bytes.len() + self.size);
            anew.extend_from_slice(&self.bytes);
            self.bytes = anew;
        }
    }

    fn learn(&mut self, count: usize, space: usize) {
        let has_little = count < self.size / 4;
        if count == space {
            self.size = (self.size * 2).min(MOST);
        } else if has_little && self.had_little {
            self.size = (self.size / 2).max(LEAST);
        }
        self.had_little = has_little;
    }

    /// With nothing left to take: lends the memory to the next message of this thread, as the next one of this connection comes
    /// when the processor's cache has it no more.
    pub fn lend(&mut self) {
        let bytes = std::mem::take(&mut self.bytes);
        if bytes.is_empty() && self.size == LEAST {
            // Nothing while the thread ends.
            SPARE.try_with(|spare| spare.set(Some(bytes))).ok();
            self.is_lent = true;
        }
    }

    /// With nothing left to take: gives back memory that an unused connection does not need.
    pub fn shrink(&mut self) {
        if self.bytes.capacity() > LEAST {
            self.bytes = BytesMut::new();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        future::poll_fn,
        task::{Context, Poll, Waker},
    };

    use tokio::io::AsyncWriteExt as _;

    use super::{Arrived, LEAST, MOST};

    /// Of how many bytes the reads are of a message of so many, all of which has come.
    async fn reads(arrived: &mut Arrived, length: usize) -> Vec<usize> {
        let (mut near, mut far) = tokio::io::duplex(length);
        far.write_all(&vec![b'x'; length]).await.unwrap();
        let mut reads = Vec::new();
        while reads.iter().sum::<usize>() < length {
            reads.push(poll_fn(|cx| arrived.poll_more(&mut near, cx)).await.unwrap());
            drop(arrived.bytes.split());
        }
        reads
    }

    #[tokio::test]
    async fn messages_of_one_size_come_to_be_read_at_once() {
        for length in [200, 10_400, 20_000, 65_700] {
            let mut arrived = Arrived::default();
            let learnt = reads(&mut arrived, length).await;
            assert!(learnt.len() <= 4, "{learnt:?}");
            for _ in 0..5 {
                reads(&mut arrived, length).await;
            }
            assert_eq!(reads(&mut arrived, length).await, [length]);
        }
    }

    #[tokio::test]
    async fn one_read_is_bounded() {
        let mut arrived = Arrived::default();
        let reads = reads(&mut arrived, 1 << 20).await;
        assert_eq!(reads.iter().max(), Some(&MOST), "{reads:?}");
    }

    #[tokio::test]
    async fn who_waits_holds_no_large_memory() {
        let mut arrived = Arrived::default();
        reads(&mut arrived, 100_000).await;
        let (mut near, _far) = tokio::io::duplex(64);
        let mut cx = Context::from_waker(Waker::noop());
        assert!(matches!(arrived.poll_more(&mut near, &mut cx), Poll::Pending));
        assert!(arrived.bytes.capacity() <= LEAST, "{}", arrived.bytes.capacity());
    }
}
