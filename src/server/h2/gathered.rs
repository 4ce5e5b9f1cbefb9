//! A connection's socket that gathers what is written, so that all answers of a turn go out by one call of the system.
//!
//! The crate h2 writes each frame of data by a call of its own, and flushes after it.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// The most bytes that wait to be sent.
const MOST: usize = 16 * 1024;

/// What is written by so many bytes is sent at once: to copy them would cost about what a call of the system does.
const LARGE: usize = 4 * 1024;

/// How many bytes are read and written on a turn, before others on the worker have theirs.
const A_TURN: usize = 1024 * 1024;

/// One end of such a socket: the crate h2 has one, and the connection's task another, to send what was gathered.
#[derive(Debug)]
pub(super) struct Gathered<S>(Arc<Mutex<Gathering<S>>>);

#[derive(Debug)]
struct Gathering<S> {
    /// What was read before HTTP/2 was known to be spoken.
    early: Bytes,
    socket: S,
    /// Nothing more is to be read on this turn.
    is_dry: bool,
    /// Bytes that were read and written on this turn.
    moved: usize,
    waiting: Vec<u8>,
    /// How much of it is sent.
    sent: usize,
    /// Something is written that the socket was not asked to flush.
    unflushed: bool,
}

impl<S> Clone for Gathered<S> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Gathered<S> {
    /// Gathers for a socket of which `early` was read already.
    pub(super) fn new(early: Bytes, socket: S) -> Self {
        Self(Arc::new(Mutex::new(Gathering {
            early,
            socket,
            is_dry: false,
            moved: 0,
            waiting: Vec::new(),
            sent: 0,
            unflushed: false,
        })))
    }

    /// A turn begins: more may have come.
    pub(super) fn begin_turn(&self) {
        let mut gathering = self.lock();
        (gathering.is_dry, gathering.moved) = (false, 0);
    }

    /// Sends what was gathered.
    pub(super) fn poll_send(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.lock().poll_send(cx)
    }

    /// Gives the memory back that only requests need.
    pub(super) fn give_back(&self) {
        let mut gathering = self.lock();
        if gathering.waiting.is_empty() {
            gathering.waiting = Vec::new();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Gathering<S>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Gathering<S> {
    fn is_to_wait(&self, bytes: &[u8]) -> bool {
        bytes.len() < LARGE && self.waiting.len() - self.sent + bytes.len() <= MOST
    }

    /// Whether the turn is over; then the next one is asked for.
    fn poll_turn(&self, cx: &Context<'_>) -> Poll<()> {
        if self.moved < A_TURN {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    fn is_sent(&mut self, count: usize) {
        self.sent += count;
        if self.sent >= self.waiting.len() {
            self.waiting.clear();
            self.sent = 0;
        }
    }

    fn keep(&mut self, bytes: &[u8]) {
        if self.sent > 0 {
            self.waiting.drain(..self.sent);
            self.sent = 0;
        }
        self.waiting.extend_from_slice(bytes);
    }

    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.waiting.is_empty() {
            ready!(self.poll_turn(cx));
            let waiting = &self.waiting[self.sent..];
            let count = some(ready!(Pin::new(&mut self.socket).poll_write(cx, waiting)))?;
            self.unflushed = true;
            self.moved += count;
            self.is_sent(count);
        }
        if self.unflushed {
            ready!(Pin::new(&mut self.socket).poll_flush(cx))?;
            self.unflushed = false;
        }
        Poll::Ready(Ok(()))
    }

    fn poll_write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        while !self.is_to_wait(bytes) {
            ready!(self.poll_turn(cx));
            let waiting = &self.waiting[self.sent..];
            let before = waiting.len();
            let both = [IoSlice::new(waiting), IoSlice::new(bytes)];
            let written = if before == 0 {
                Pin::new(&mut self.socket).poll_write(cx, bytes)
            } else {
                Pin::new(&mut self.socket).poll_write_vectored(cx, &both)
            };
            let count = some(ready!(written))?;
            self.unflushed = true;
            self.moved += count;
            self.is_sent(count.min(before));
            if count > before {
                return Poll::Ready(Ok(count - before));
            }
        }
        self.keep(bytes);
        Poll::Ready(Ok(bytes.len()))
    }
}

/// A socket that takes nothing would be asked again and again.
fn some(written: io::Result<usize>) -> io::Result<usize> {
    match written? {
        0 => Err(io::ErrorKind::WriteZero.into()),
        count => Ok(count),
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Gathered<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let mut gathering = self.lock();
        if !gathering.early.is_empty() {
            let count = gathering.early.len().min(buf.remaining());
            buf.put_slice(&gathering.early.split_to(count));
            return Poll::Ready(Ok(()));
        }
        // The socket's waker is set.
        if gathering.is_dry {
            return Poll::Pending;
        }
        ready!(gathering.poll_turn(cx));
        let before = buf.filled().len();
        let read = Pin::new(&mut gathering.socket).poll_read(cx, buf);
        gathering.moved += buf.filled().len() - before;
        gathering.is_dry = read.is_pending();
        read
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Gathered<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.lock().poll_write(cx, buf)
    }

    /// Does nothing: what was gathered is sent at the turn's end.
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut gathering = self.lock();
        ready!(gathering.poll_send(cx))?;
        Pin::new(&mut gathering.socket).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use std::{future::poll_fn, task::Waker};

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    /// Takes so much at each call and then nothing, and keeps what each brought.
    #[derive(Debug, Default)]
    struct Socket {
        takes: Vec<usize>,
        taken: Vec<Vec<u8>>,
        closed: bool,
    }

    impl AsyncRead for Socket {
        fn poll_read(self: Pin<&mut Self>, _: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
            buf.put_slice(b"later");
            Poll::Ready(Ok(()))
        }
    }

    impl AsyncWrite for Socket {
        fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
            self.poll_write_vectored(cx, &[IoSlice::new(buf)])
        }

        fn poll_write_vectored(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
            bufs: &[IoSlice<'_>],
        ) -> Poll<io::Result<usize>> {
            if self.takes.is_empty() {
                return Poll::Pending;
            }
            let most = self.takes.remove(0);
            let bytes: Vec<u8> = bufs.iter().flat_map(|buf| buf.iter().copied()).take(most).collect();
            let count = bytes.len();
            self.taken.push(bytes);
            Poll::Ready(Ok(count))
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            self.closed = true;
            Poll::Ready(Ok(()))
        }
    }

    fn gathered(takes: &[usize]) -> Gathered<Socket> {
        Gathered::new(Bytes::new(), Socket { takes: takes.to_vec(), ..Socket::default() })
    }

    fn poll_send(gathered: &Gathered<Socket>) -> Poll<io::Result<()>> {
        gathered.poll_send(&mut Context::from_waker(Waker::noop()))
    }

    fn poll_write(gathered: &mut Gathered<Socket>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(gathered).poll_write(&mut Context::from_waker(Waker::noop()), bytes)
    }

    fn taken(gathered: &Gathered<Socket>) -> Vec<Vec<u8>> {
        std::mem::take(&mut gathered.lock().socket.taken)
    }

    #[tokio::test]
    async fn small_writes_go_out_by_one() {
        let mut gathered = gathered(&[usize::MAX]);
        for part in ["one,", "two,", "three"] {
            gathered.write_all(part.as_bytes()).await.unwrap();
            gathered.flush().await.unwrap();
        }
        assert!(taken(&gathered).is_empty());
        poll_fn(|cx| gathered.poll_send(cx)).await.unwrap();
        assert_eq!(taken(&gathered), [b"one,two,three"]);
        poll_fn(|cx| gathered.poll_send(cx)).await.unwrap();
        assert!(taken(&gathered).is_empty());
    }

    #[tokio::test]
    async fn a_large_write_takes_along_what_waits() {
        let mut gathered = gathered(&[usize::MAX]);
        let large = vec![b'x'; LARGE];
        gathered.write_all(b"one").await.unwrap();
        gathered.write_all(&large).await.unwrap();
        assert_eq!(taken(&gathered), [[b"one", &large[..]].concat()]);
    }

    #[test]
    fn what_is_taken_in_part_goes_on_where_it_was() {
        let mut gathered = gathered(&[2, 1]);
        assert!(poll_write(&mut gathered, b"abcdef").is_ready());
        assert!(poll_send(&gathered).is_pending());
        assert!(poll_write(&mut gathered, b"gh").is_ready());
        gathered.lock().socket.takes = vec![usize::MAX];
        assert!(poll_send(&gathered).is_ready());
        assert_eq!(taken(&gathered).concat(), b"abcdefgh");
    }

    #[test]
    fn a_large_write_is_not_told_of_what_waited_before_it() {
        let large = vec![b'x'; LARGE];
        let mut gathered = gathered(&[2, 4]);
        assert!(poll_write(&mut gathered, b"abc").is_ready());
        let Poll::Ready(Ok(count)) = poll_write(&mut gathered, &large) else { panic!("it was taken in part") };
        assert_eq!((count, taken(&gathered).concat()), (3, b"abcxxx".to_vec()));
    }

    #[test]
    fn no_more_waits_than_may() {
        let mut gathered = gathered(&[]);
        for _ in 0..MOST / 1024 {
            assert!(poll_write(&mut gathered, &[b'x'; 1024]).is_ready());
        }
        assert!(poll_write(&mut gathered, b"y").is_pending());
        gathered.lock().socket.takes = vec![1];
        assert!(poll_write(&mut gathered, b"y").is_ready());
        assert!(gathered.lock().waiting.len() <= MOST);
    }

    #[test]
    fn a_turn_is_over_after_so_many_bytes() {
        let large = vec![b'x'; LARGE];
        let mut gathered = gathered(&[usize::MAX; 1024]);
        let mut count = 0;
        while poll_write(&mut gathered, &large).is_ready() {
            count += 1;
        }
        assert_eq!(count, A_TURN / LARGE);
        gathered.begin_turn();
        assert!(poll_write(&mut gathered, &large).is_ready());
    }

    #[test]
    fn a_socket_that_takes_nothing_is_broken() {
        let mut gathered = gathered(&[0]);
        assert!(poll_write(&mut gathered, b"a").is_ready());
        assert!(matches!(poll_send(&gathered), Poll::Ready(Err(_))));
    }

    #[tokio::test]
    async fn what_waits_is_sent_before_the_end() {
        let mut gathered = gathered(&[usize::MAX]);
        gathered.write_all(b"last").await.unwrap();
        gathered.shutdown().await.unwrap();
        assert_eq!(taken(&gathered), [b"last"]);
        assert!(gathered.lock().socket.closed);
    }

    #[tokio::test]
    async fn what_was_read_before_comes_first() {
        let mut gathered = Gathered::new(Bytes::from_static(b"early,"), Socket::default());
        let mut read = [0; 11];
        gathered.read_exact(&mut read).await.unwrap();
        assert_eq!(&read, b"early,later");
    }
}
