//! A client's socket, plain or under TLS, which notes what goes on and closes so that the last answer arrives.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use callgate_core::fairness::moved;
use rustls_pki_types::CertificateDer;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpStream, UnixStream},
};
use tokio_rustls::server::TlsStream;

use super::{activity::Activity, connections::Seat};

/// What carries the bytes.
#[derive(Debug)]
pub(super) enum Transport {
    Tcp(TcpStream),
    Unix(UnixStream),
}

/// What is read and written by HTTP.
#[derive(Debug)]
pub(super) enum Stream {
    Plain(Transport),
    Tls(Box<TlsStream<Transport>>),
}

/// Runs the same on whichever stream it is.
macro_rules! on {
    ($self:expr, $type:ident { $($variant:ident),+ }, $stream:ident => $call:expr) => {
        match $self { $($type::$variant($stream) => $call),+ }
    };
}

macro_rules! delegate {
    ($type:ident { $($variant:ident),+ }) => {
        impl AsyncRead for $type {
            fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
                on!(self.get_mut(), $type { $($variant),+ }, stream => Pin::new(stream).poll_read(cx, buf))
            }
        }

        impl AsyncWrite for $type {
            fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
                on!(self.get_mut(), $type { $($variant),+ }, stream => Pin::new(stream).poll_write(cx, buf))
            }

            fn poll_write_vectored(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                bufs: &[IoSlice<'_>],
            ) -> Poll<io::Result<usize>> {
                on!(self.get_mut(), $type { $($variant),+ }, stream => Pin::new(stream).poll_write_vectored(cx, bufs))
            }

            fn is_write_vectored(&self) -> bool {
                on!(self, $type { $($variant),+ }, stream => stream.is_write_vectored())
            }

            fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                on!(self.get_mut(), $type { $($variant),+ }, stream => Pin::new(stream).poll_flush(cx))
            }

            fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                on!(self.get_mut(), $type { $($variant),+ }, stream => Pin::new(stream).poll_shutdown(cx))
            }
        }
    };
}

delegate!(Transport { Tcp, Unix });
delegate!(Stream { Plain, Tls });

/// A client's socket. Its connection counts as open for as long as this lives, also when it was upgraded.
#[derive(Debug)]
pub(super) struct Socket {
    stream: Stream,
    seat: Seat,
    /// Something has been received.
    received: bool,
    closing: Closing,
    /// All that was written is given to the system, and nothing more is to come.
    flushed: bool,
}

#[derive(Debug, PartialEq, Eq)]
enum Closing {
    Open,
    /// The client has sent its end.
    Ended,
    /// Our end is sent; what still comes is thrown away.
    Lingering,
}

impl Socket {
    pub(super) fn new(stream: Stream, seat: Seat) -> Self {
        Self { stream, seat, received: false, closing: Closing::Open, flushed: false }
    }

    fn activity(&self) -> &Arc<Activity> {
        self.seat.activity()
    }

    fn note_write(&self, cx: &mut Context<'_>, written: &Poll<io::Result<usize>>) {
        match written {
            Poll::Ready(written) => {
                let bytes = *written.as_ref().unwrap_or(&0);
                self.seat.counters().sends(bytes);
                moved(cx, bytes);
                self.activity().has_written();
            }
            Poll::Pending => self.activity().is_blocked(),
        }
    }

    /// Whether something has come that nobody has read; it is thrown away.
    fn has_arrived(&mut self, cx: &mut Context<'_>) -> bool {
        let mut space = [0; 512];
        let mut buf = ReadBuf::new(&mut space);
        let read = Pin::new(&mut self.stream).poll_read(cx, &mut buf);
        matches!(read, Poll::Ready(Ok(()))) && !buf.filled().is_empty()
    }

    /// Reads and throws away what the client still sends.
    ///
    /// Closing a socket that holds unread bytes resets the connection, and the client may lose the answer that it was
    /// about to read. How long this may take is bounded as the time for a head is.
    fn poll_linger(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut space = [0; 4096];
        loop {
            let mut buf = ReadBuf::new(&mut space);
            match ready!(Pin::new(&mut self.stream).poll_read(cx, &mut buf)) {
                Ok(()) if !buf.filled().is_empty() => {}
                Ok(()) | Err(_) => return Poll::Ready(Ok(())),
            }
        }
    }
}

impl Stream {
    /// The certificate that the client showed.
    pub(super) fn certificate(&self) -> Option<&CertificateDer<'static>> {
        match self {
            Self::Plain(_) => None,
            Self::Tls(stream) => stream.get_ref().1.peer_certificates()?.first(),
        }
    }

    /// Makes the end of the connection a reset. A Unix socket has none: its client sees an end in any case.
    fn reset_at_end(&self) {
        let transport = match self {
            Self::Plain(transport) => transport,
            Self::Tls(stream) => stream.get_ref().0,
        };
        if let Transport::Tcp(stream) = transport
            && let Err(error) = stream.set_zero_linger()
        {
            tracing::debug!(%error, "A connection that broke can't be reset");
        }
    }
}

impl Drop for Socket {
    /// A response that ends with its connection must not look whole when it was cut off.
    fn drop(&mut self) {
        if self.activity().would_deceive(self.flushed) {
            self.stream.reset_at_end();
        }
    }
}

impl AsyncRead for Socket {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let this = &mut *self;
        ready!(Pin::new(&mut this.stream).poll_read(cx, buf))?;
        if buf.filled().len() > before {
            this.seat.counters().receives(buf.filled().len() - before);
            moved(cx, buf.filled().len() - before);
            this.received = true;
            this.activity().has_read();
        } else if buf.remaining() > 0 {
            this.closing = Closing::Ended;
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Socket {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.note_write(cx, &written);
        written
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        self.note_write(cx, &written);
        written
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        this.flushed = true;
        if this.activity().would_deceive(true) {
            return Poll::Ready(Ok(()));
        }
        if this.closing != Closing::Lingering {
            ready!(Pin::new(&mut this.stream).poll_shutdown(cx))?;
            let unread = this.received && (this.activity().has_unread() || this.has_arrived(cx));
            if this.closing == Closing::Ended || !unread {
                return Poll::Ready(Ok(()));
            }
            this.closing = Closing::Lingering;
            this.activity().lingers();
        }
        this.poll_linger(cx)
    }
}
