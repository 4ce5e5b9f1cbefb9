//! The byte stream of a connection, plain or in TLS.

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use callgate_core::fairness::moved;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};
use tokio_rustls::client::TlsStream;

use crate::{
    gate::{Gate, Keeping},
    sent::Sent,
};

/// A connected socket.
#[derive(Debug)]
pub(crate) enum Stream {
    Tcp(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

macro_rules! either {
    ($stream:expr, $io:ident => $call:expr) => {
        match $stream {
            Stream::Tcp($io) => {
                let $io = Pin::new($io);
                $call
            }
            Stream::Tls($io) => {
                let $io = Pin::new(&mut **$io);
                $call
            }
        }
    };
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        either!(self.get_mut(), io => io.poll_read(cx, buffer))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        either!(self.get_mut(), io => io.poll_write(cx, bytes))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        either!(self.get_mut(), io => io.poll_write_vectored(cx, parts))
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Tcp(io) => io.is_write_vectored(),
            Self::Tls(io) => io.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        either!(self.get_mut(), io => io.poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        either!(self.get_mut(), io => io.poll_shutdown(cx))
    }
}

/// The stream of an HTTP/1.1 connection.
///
/// Reads are counted while the head of a reply is awaited, so that neither a head without end nor a flood of interim
/// replies goes on for ever; what is written of a request is kept where it may have to be sent again.
#[derive(Debug)]
pub(crate) struct Watched {
    pub(crate) stream: Stream,
    pub(crate) gate: Arc<Gate>,
    pub(crate) sent: Sent,
}

impl Watched {
    /// Keeps what is about to be written; false when nothing is to be kept.
    fn keep<'a>(&mut self, parts: impl Iterator<Item = &'a [u8]>) -> bool {
        match self.gate.keeping() {
            Keeping::Nothing => return false,
            Keeping::FromHere => self.sent.clear(),
            Keeping::On => {}
        }
        self.sent.offer(parts);
        true
    }
}

fn note(cx: &mut Context<'_>, written: &Poll<io::Result<usize>>) {
    if let Poll::Ready(Ok(count)) = written {
        moved(cx, *count);
    }
}

impl AsyncRead for Watched {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(cx, buffer);
        let read = buffer.filled().len() - before;
        moved(cx, read);
        if polled.is_ready() && !self.gate.count(read) {
            return Poll::Ready(Err(io::Error::other("the head of the reply, interim replies included, is too long")));
        }
        polled
    }
}

impl AsyncWrite for Watched {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let kept = self.keep([bytes].into_iter());
        let polled = Pin::new(&mut self.stream).poll_write(cx, bytes);
        note(cx, &polled);
        if let (true, Poll::Ready(Ok(count))) = (kept, &polled) {
            self.sent.take(*count);
        }
        polled
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let kept = self.keep(parts.iter().map(|part| &**part));
        let polled = Pin::new(&mut self.stream).poll_write_vectored(cx, parts);
        note(cx, &polled);
        if let (true, Poll::Ready(Ok(count))) = (kept, &polled) {
            self.sent.take(*count);
        }
        polled
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
