//! A message while it is written.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::{Buf, Bytes};
use callgate_core::{Body, BodyError, fairness::moved};
use http::HeaderName;
use http_body::Body as _;
use tokio::io::AsyncWrite;

use super::{
    error::WireError,
    fields::{write_chunk_size, write_header},
};

/// How much memory for heads stays with an unused connection.
const USUAL: usize = 4 << 10;

/// What is to be written of a message: the head, then its body's frames.
#[derive(Debug, Default)]
pub struct Outgoing {
    /// The head, or the line in front of a chunk.
    head: Vec<u8>,
    /// How much of it is written.
    at: usize,
    data: Bytes,
    /// The line end behind a chunk.
    tail: &'static [u8],
    body: Rest,
    /// The names of the trailers that the head announces.
    trailers: Vec<HeaderName>,
    has_begun: bool,
    /// A write that fails may have sent some of it.
    is_buffered: bool,
    /// What was written may lie in TLS's buffer.
    unflushed: bool,
}

/// The body of a message, as its head delimits it.
#[derive(Debug)]
pub enum Content {
    /// In memory.
    Whole(Bytes),
    /// So many bytes.
    Length(Body, u64),
    /// In chunks, with the trailers of these names behind them.
    Chunked(Body, Vec<HeaderName>),
    /// Up to the connection's end.
    UntilClose(Body),
}

/// What is left of a body that streams.
#[derive(Debug, Default)]
enum Rest {
    #[default]
    Nothing,
    Length(Body, u64),
    Chunked(Body),
    UntilClose(Body),
}

impl Outgoing {
    /// For a stream that keeps what is written for a while, as TLS does, if `is_buffered`.
    pub fn over(is_buffered: bool) -> Self {
        Self { is_buffered, ..Self::default() }
    }

    /// A message begins. Its head, or an interim one, is to be written to the end of what this gives.
    pub fn begin(&mut self, content: Content) -> &mut Vec<u8> {
        (self.tail, self.has_begun, self.unflushed) = (b"", false, true);
        match content {
            Content::Whole(data) => self.data = data,
            Content::Length(body, length) => self.body = Rest::Length(body, length),
            Content::Chunked(body, trailers) => (self.body, self.trailers) = (Rest::Chunked(body), trailers),
            Content::UntilClose(body) => self.body = Rest::UntilClose(body),
        }
        self.make_room();
        &mut self.head
    }

    /// Gives back memory that an unused connection does not need.
    pub fn rest(&mut self) {
        self.make_room();
        self.head.shrink_to(USUAL);
    }

    /// Whether all of the message is written.
    pub fn is_done(&self) -> bool {
        matches!(self.body, Rest::Nothing) && self.is_written() && !self.unflushed
    }

    /// Whether something was written of this message.
    pub fn has_begun(&self) -> bool {
        self.has_begun
    }

    /// The body, if nothing was taken of it.
    pub fn into_body(self) -> Option<Body> {
        match self.body {
            Rest::Length(body, _) | Rest::Chunked(body) if !self.has_begun && self.data.is_empty() => Some(body),
            _ => None,
        }
    }

    fn is_written(&self) -> bool {
        self.at == self.head.len() && self.data.is_empty() && self.tail.is_empty()
    }

    /// Writes what can be written now; ready when all of the message is.
    ///
    /// # Errors
    /// The stream fails, or the body does.
    pub fn poll(
        &mut self,
        stream: &mut (impl AsyncWrite + Unpin),
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), WireError>> {
        loop {
            let waits = self.data.is_empty() && self.tail.is_empty() && self.fill(cx)?;
            if self.is_written() {
                ready!(Pin::new(&mut *stream).poll_flush(cx))?;
                self.unflushed = false;
                return if waits { Poll::Pending } else { Poll::Ready(Ok(())) };
            }
            ready!(self.poll_write(stream, cx))?;
        }
    }

    /// Takes the next frame of the body; true where it has to be waited for.
    fn fill(&mut self, cx: &mut Context<'_>) -> Result<bool, WireError> {
        loop {
            let frame = match &mut self.body {
                Rest::Nothing => return Ok(false),
                Rest::Length(body, _) | Rest::Chunked(body) | Rest::UntilClose(body) => Pin::new(body).poll_frame(cx),
            };
            let frame = match frame {
                Poll::Pending => return Ok(true),
                Poll::Ready(None) => return self.end(None).map(|()| false),
                Poll::Ready(Some(frame)) => frame.map_err(WireError::Body)?,
            };
            match frame.into_data() {
                Ok(data) if data.is_empty() => {}
                Ok(data) => return self.data(data).map(|()| false),
                Err(frame) => {
                    if let Ok(trailers) = frame.into_trailers() {
                        return self.end(Some(&trailers)).map(|()| false);
                    }
                }
            }
        }
    }

    fn data(&mut self, data: Bytes) -> Result<(), WireError> {
        match &mut self.body {
            Rest::Nothing | Rest::UntilClose(_) => {}
            Rest::Length(_, left) => {
                *left = left.checked_sub(data.len() as u64).ok_or_else(|| other_length("more"))?;
                if *left == 0 {
                    self.body = Rest::Nothing;
                }
            }
            Rest::Chunked(_) => {
                self.make_room();
                write_chunk_size(data.len(), &mut self.head);
                self.tail = b"\r\n";
            }
        }
        self.data = data;
        Ok(())
    }

    fn end(&mut self, trailers: Option<&http::HeaderMap>) -> Result<(), WireError> {
        match std::mem::take(&mut self.body) {
            Rest::Length(_, 1..) => return Err(other_length("fewer")),
            Rest::Nothing | Rest::UntilClose(_) | Rest::Length(_, 0) => {}
            Rest::Chunked(_) => {
                self.make_room();
                self.head.extend_from_slice(b"0\r\n");
                if let Some(trailers) = trailers {
                    let names = self.trailers.iter();
                    let announced =
                        names.flat_map(|name| trailers.get_all(name).iter().map(move |value| (name, value)));
                    announced.for_each(|(name, value)| write_header(name, value, &mut self.head));
                }
                self.head.extend_from_slice(b"\r\n");
            }
        }
        Ok(())
    }

    /// Forgets what is written, so that what comes next stands behind what is not.
    fn make_room(&mut self) {
        if self.at == self.head.len() {
            self.head.clear();
            self.at = 0;
        }
    }

    fn poll_write(&mut self, stream: &mut (impl AsyncWrite + Unpin), cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let head = self.head.get(self.at..).unwrap_or_default();
        let stream = Pin::new(stream);
        let written = ready!(if self.data.is_empty() && self.tail.is_empty() {
            stream.poll_write(cx, head)
        } else {
            stream.poll_write_vectored(cx, &[IoSlice::new(head), IoSlice::new(&self.data), IoSlice::new(self.tail)])
        });
        self.has_begun |= self.is_buffered || written.as_ref().is_ok_and(|count| *count > 0);
        let mut written = written?;
        if written == 0 {
            return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
        }
        moved(cx, written);
        self.unflushed = true;
        let of_head = written.min(head.len());
        self.at += of_head;
        written -= of_head;
        let of_data = written.min(self.data.len());
        self.data.advance(of_data);
        if self.data.is_empty() {
            // Even an empty part of it would keep it in memory.
            self.data = Bytes::new();
        }
        self.tail = self.tail.get(written - of_data..).unwrap_or_default();
        Poll::Ready(Ok(()))
    }
}

fn other_length(which: &str) -> WireError {
    WireError::Body(BodyError::Cut(format!("the body has {which} bytes than it said").into()))
}
