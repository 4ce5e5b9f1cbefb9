//! A request while it is written.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::{Buf, Bytes};
use callgate_core::{Body, BodyError, fairness::moved};
use http::{HeaderName, request};
use http_body::Body as _;
use tokio::io::AsyncWrite;

use super::{broken::Broken, head};
use crate::io::Stream;

/// How much memory for heads stays with an unused connection.
const USUAL: usize = 4 << 10;

/// What is to be written of a request: the head, then its body's frames.
#[derive(Debug, Default)]
pub(super) struct Upload {
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
    /// Something was written of this request.
    pub(super) has_begun: bool,
    /// What was written may lie in TLS's buffer.
    unflushed: bool,
}

/// What is left of a body that streams.
#[derive(Debug, Default)]
enum Rest {
    #[default]
    Nothing,
    Length(Body, u64),
    Chunked(Body),
}

impl Upload {
    /// A request begins; its body is in memory.
    pub(super) fn begin(&mut self, head: &request::Parts, body: Bytes) {
        self.start(head, false);
        self.data = body;
    }

    /// A request begins; its body streams.
    pub(super) fn begin_streamed(&mut self, head: &request::Parts, body: Body) {
        let length = body.known_length();
        self.start(head, length.is_none());
        self.body = match length {
            Some(length) => Rest::Length(body, length),
            None => {
                self.trailers = head::announced_trailers(&head.headers);
                Rest::Chunked(body)
            }
        };
    }

    fn start(&mut self, head: &request::Parts, chunked: bool) {
        self.head.clear();
        head::write(head, chunked, &mut self.head);
        (self.at, self.tail, self.has_begun, self.unflushed) = (0, b"", false, true);
    }

    /// Gives back memory that an unused connection does not need.
    pub(super) fn rest(&mut self) {
        self.head.clear();
        self.at = 0;
        self.head.shrink_to(USUAL);
    }

    /// Whether all of the request is written.
    pub(super) fn is_done(&self) -> bool {
        matches!(self.body, Rest::Nothing) && self.is_written() && !self.unflushed
    }

    /// The body, if nothing was taken of it.
    pub(super) fn into_body(self) -> Option<Body> {
        match self.body {
            Rest::Length(body, _) | Rest::Chunked(body) if !self.has_begun && self.data.is_empty() => Some(body),
            _ => None,
        }
    }

    fn is_written(&self) -> bool {
        self.at == self.head.len() && self.data.is_empty() && self.tail.is_empty()
    }

    /// Writes what can be written now; ready when all of the request is.
    pub(super) fn poll(&mut self, stream: &mut Stream, cx: &mut Context<'_>) -> Poll<Result<(), Broken>> {
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
    fn fill(&mut self, cx: &mut Context<'_>) -> Result<bool, Broken> {
        loop {
            let frame = match &mut self.body {
                Rest::Nothing => return Ok(false),
                Rest::Length(body, _) | Rest::Chunked(body) => Pin::new(body).poll_frame(cx),
            };
            let frame = match frame {
                Poll::Pending => return Ok(true),
                Poll::Ready(None) => return self.end(None).map(|()| false),
                Poll::Ready(Some(frame)) => frame.map_err(Broken::Request)?,
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

    fn data(&mut self, data: Bytes) -> Result<(), Broken> {
        match &mut self.body {
            Rest::Nothing => {}
            Rest::Length(_, left) => {
                *left = left.checked_sub(data.len() as u64).ok_or_else(|| other_length("more"))?;
                if *left == 0 {
                    self.body = Rest::Nothing;
                }
            }
            Rest::Chunked(_) => {
                self.make_room();
                head::write_chunk_size(data.len(), &mut self.head);
                self.tail = b"\r\n";
            }
        }
        self.data = data;
        Ok(())
    }

    fn end(&mut self, trailers: Option<&http::HeaderMap>) -> Result<(), Broken> {
        match std::mem::take(&mut self.body) {
            Rest::Length(_, 1..) => return Err(other_length("fewer")),
            Rest::Nothing | Rest::Length(_, 0) => {}
            Rest::Chunked(_) => {
                self.make_room();
                self.head.extend_from_slice(b"0\r\n");
                if let Some(trailers) = trailers {
                    let names = self.trailers.iter();
                    let announced =
                        names.flat_map(|name| trailers.get_all(name).iter().map(move |value| (name, value)));
                    announced.for_each(|(name, value)| head::write_header(name, value, &mut self.head));
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

    fn poll_write(&mut self, stream: &mut Stream, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let head = self.head.get(self.at..).unwrap_or_default();
        let is_tls = matches!(stream, Stream::Tls(_));
        let stream = Pin::new(stream);
        let written = ready!(if self.data.is_empty() && self.tail.is_empty() {
            stream.poll_write(cx, head)
        } else {
            stream.poll_write_vectored(cx, &[IoSlice::new(head), IoSlice::new(&self.data), IoSlice::new(self.tail)])
        });
        // A write that fails under TLS may have sent some of it.
        self.has_begun |= is_tls || written.as_ref().is_ok_and(|count| *count > 0);
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

fn other_length(which: &str) -> Broken {
    Broken::Request(BodyError::Cut(format!("the body has {which} bytes than it said").into()))
}
