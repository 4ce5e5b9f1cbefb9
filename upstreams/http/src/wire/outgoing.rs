//! A message while it is written.

use std::{
    cell::Cell,
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

/// How much memory for heads stays with a thread.
const USUAL: usize = 32 << 10;

/// A frame of up to so many bytes is copied behind what is to be written already: that costs less than to write it by itself.
const SMALL: usize = 4 << 10;

/// How much is gathered so.
const GATHERED: usize = 16 << 10;

thread_local! {
    /// The memory of heads that are written, for the next one on this thread: most are written at once, and the processor's
    /// cache holds what all connections share.
    static SPARE: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

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
    /// A frame of the body was taken.
    has_taken: bool,
    /// The body failed behind what is still to be written.
    failure: Option<WireError>,
    /// A write that fails may have sent some of it.
    is_buffered: bool,
    /// The head goes out whatever becomes of the body.
    is_answer: bool,
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
    /// For requests, over a stream that keeps what is written for a while, as TLS does, if `is_buffered`.
    pub fn over(is_buffered: bool) -> Self {
        Self { is_buffered, ..Self::default() }
    }

    /// For answers. Who waits for one is not left without a word where its body fails.
    pub fn of_answers() -> Self {
        Self { is_answer: true, ..Self::default() }
    }

    /// A message begins. Its head, or an interim one, is to be written to the end of what this gives.
    pub fn begin(&mut self, content: Content) -> &mut Vec<u8> {
        (self.tail, self.has_begun, self.has_taken, self.unflushed) = (b"", false, false, true);
        match content {
            Content::Whole(data) => self.data = data,
            Content::Length(body, length) => self.body = Rest::Length(body, length),
            Content::Chunked(body, trailers) => (self.body, self.trailers) = (Rest::Chunked(body), trailers),
            Content::UntilClose(body) => self.body = Rest::UntilClose(body),
        }
        self.make_room();
        if self.head.capacity() == 0 {
            self.head = SPARE.try_with(Cell::take).unwrap_or_default();
        }
        &mut self.head
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
            Rest::Length(body, _) | Rest::Chunked(body) if !self.has_begun && !self.has_taken => Some(body),
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
            let waits = self.data.is_empty() && self.tail.is_empty() && self.fill_or_fail(cx)?;
            if self.is_written() {
                ready!(Pin::new(&mut *stream).poll_flush(cx))?;
                if let Some(failure) = self.failure.take() {
                    return Poll::Ready(Err(failure));
                }
                self.unflushed = false;
                if !waits {
                    self.give_back();
                }
                return if waits { Poll::Pending } else { Poll::Ready(Ok(())) };
            }
            ready!(self.poll_write(stream, cx))?;
        }
    }

    /// What came before a failure is still written.
    fn fill_or_fail(&mut self, cx: &mut Context<'_>) -> Result<bool, WireError> {
        let filled = self.fill(cx);
        if filled.is_err() && (self.has_taken || self.is_answer) {
            self.body = Rest::Nothing;
            self.failure = filled.err();
            return Ok(false);
        }
        filled
    }

    /// Takes of the body what is there and can be written at once; true where more has to be waited for.
    fn fill(&mut self, cx: &mut Context<'_>) -> Result<bool, WireError> {
        while self.data.is_empty() && self.head.len() - self.at < GATHERED {
            let frame = match &mut self.body {
                Rest::Nothing => return Ok(false),
                Rest::Length(body, _) | Rest::Chunked(body) | Rest::UntilClose(body) => Pin::new(body).poll_frame(cx),
            };
            let frame = match frame {
                // It has said all that it may, and only its end is left.
                Poll::Pending | Poll::Ready(Some(Err(_))) if matches!(self.body, Rest::Length(_, 0)) => None,
                Poll::Pending => return Ok(true),
                Poll::Ready(frame) => frame,
            };
            let Some(frame) = frame else {
                self.end(None)?;
                break;
            };
            let frame = frame.map_err(WireError::Body)?;
            self.has_taken = true;
            match frame.into_data() {
                Ok(data) if data.is_empty() => {}
                Ok(data) => self.take(data)?,
                Err(frame) => {
                    if let Ok(trailers) = frame.into_trailers() {
                        self.end(Some(&trailers))?;
                        break;
                    }
                }
            }
        }
        Ok(false)
    }

    /// Takes a frame of the body.
    fn take(&mut self, data: Bytes) -> Result<(), WireError> {
        self.make_room();
        match &mut self.body {
            Rest::Nothing | Rest::UntilClose(_) => {}
            Rest::Length(body, left) => {
                *left = left.checked_sub(data.len() as u64).ok_or_else(|| other_length("more"))?;
                if *left == 0 && body.is_end_stream() {
                    self.body = Rest::Nothing;
                }
            }
            Rest::Chunked(body) => {
                write_chunk_size(data.len(), &mut self.head);
                self.tail = b"\r\n";
                if body.is_end_stream() {
                    self.body = Rest::Nothing;
                    self.tail = b"\r\n0\r\n\r\n";
                }
            }
        }
        self.data = data;
        self.gather();
        Ok(())
    }

    /// Puts small data behind what is in front of it.
    fn gather(&mut self) {
        if self.data.len() <= SMALL {
            self.head.extend_from_slice(&std::mem::take(&mut self.data));
            self.head.extend_from_slice(std::mem::take(&mut self.tail));
        }
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

    /// All is written.
    fn give_back(&mut self) {
        let mut head = std::mem::take(&mut self.head);
        self.at = 0;
        if head.capacity() <= USUAL {
            head.clear();
            // Nothing while the thread ends.
            SPARE.try_with(|spare| spare.set(head)).ok();
        }
    }

    fn poll_write(&mut self, stream: &mut (impl AsyncWrite + Unpin), cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.data.is_empty() {
            self.gather();
        }
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

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use futures_util::{FutureExt as _, StreamExt as _, stream};
    use http_body::Frame;
    use http_body_util::StreamBody;

    use super::*;

    /// A stream that remembers what each write had.
    #[derive(Default)]
    struct Writes(Vec<Vec<u8>>);

    impl AsyncWrite for Writes {
        fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
            self.poll_write_vectored(cx, &[IoSlice::new(bytes)])
        }

        fn poll_write_vectored(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
            parts: &[IoSlice<'_>],
        ) -> Poll<io::Result<usize>> {
            let written: Vec<u8> = parts.iter().flat_map(|part| part.to_vec()).collect();
            let count = written.len();
            self.0.push(written);
            Poll::Ready(Ok(count))
        }

        fn is_write_vectored(&self) -> bool {
            true
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    type Next = Result<Frame<Bytes>, BodyError>;

    fn data(length: usize) -> Next {
        Ok(Frame::data(vec![b'x'; length].into()))
    }

    fn failure() -> Next {
        Err(BodyError::Cut("gone".into()))
    }

    /// What is written of a message until it has to wait, and how that ends.
    fn written(content: Content) -> (Vec<Vec<u8>>, Option<Result<(), WireError>>) {
        let (mut out, mut stream) = (Outgoing::over(false), Writes::default());
        out.begin(content).extend_from_slice(b"HEAD\r\n");
        let ended = poll_fn(|cx| out.poll(&mut stream, cx)).now_or_never();
        assert_eq!(out.is_done(), matches!(ended, Some(Ok(()))));
        (stream.0, ended)
    }

    fn there(frames: Vec<Next>) -> Body {
        Body::new(StreamBody::new(stream::iter(frames)))
    }

    fn then_waits(frames: Vec<Next>) -> Body {
        Body::new(StreamBody::new(stream::iter(frames).chain(stream::pending())))
    }

    #[test]
    fn small_frames_that_are_there_go_out_in_one_write() {
        let body = there(vec![data(3), data(2), data(1)]);
        let (writes, ended) = written(Content::Chunked(body, Vec::new()));
        assert!(matches!(ended, Some(Ok(()))));
        assert_eq!(writes, [b"HEAD\r\n3\r\nxxx\r\n2\r\nxx\r\n1\r\nx\r\n0\r\n\r\n".to_vec()]);
        let (writes, _) = written(Content::Length(there(vec![data(3), data(2)]), 5));
        assert_eq!(writes, [b"HEAD\r\nxxxxx".to_vec()]);
    }

    #[test]
    fn a_frame_waits_for_no_other() {
        let (writes, ended) = written(Content::Chunked(then_waits(vec![data(3)]), Vec::new()));
        assert!(ended.is_none());
        assert_eq!(writes, [b"HEAD\r\n3\r\nxxx\r\n".to_vec()]);
    }

    #[test]
    fn what_is_gathered_is_bounded() {
        let frames: Vec<Next> = (0..1000).map(|_| data(SMALL)).collect();
        let (writes, ended) = written(Content::Length(there(frames), (1000 * SMALL) as u64));
        assert!(matches!(ended, Some(Ok(()))));
        let most = writes.iter().map(Vec::len).max();
        assert!(most.is_some_and(|most| (GATHERED..=GATHERED + SMALL).contains(&most)), "{most:?}");
    }

    #[test]
    fn what_came_before_a_failure_is_written() {
        let (writes, ended) = written(Content::Chunked(there(vec![data(3), failure()]), Vec::new()));
        assert!(matches!(ended, Some(Err(WireError::Body(_)))));
        assert_eq!(writes, [b"HEAD\r\n3\r\nxxx\r\n".to_vec()]);
        let (writes, ended) = written(Content::Chunked(there(vec![failure()]), Vec::new()));
        assert!(matches!(ended, Some(Err(WireError::Body(_)))));
        assert!(writes.is_empty(), "a request of which nothing can be sent");
        let (mut out, mut stream) = (Outgoing::of_answers(), Writes::default());
        out.begin(Content::Chunked(there(vec![failure()]), Vec::new())).extend_from_slice(b"HEAD\r\n");
        let ended = poll_fn(|cx| out.poll(&mut stream, cx)).now_or_never();
        assert!(matches!(ended, Some(Err(WireError::Body(_)))));
        assert_eq!(stream.0, [b"HEAD\r\n".to_vec()]);
    }

    #[test]
    fn a_body_of_a_known_length_is_read_to_its_end() {
        let (told, mut told_end) = tokio::sync::oneshot::channel();
        let end = stream::once(async { told.send(()).ok() }).filter_map(|_| async { None::<Next> });
        let body = Body::new(StreamBody::new(stream::iter(vec![data(3)]).chain(end.boxed())));
        let (writes, ended) = written(Content::Length(body, 3));
        assert!(matches!(ended, Some(Ok(()))));
        assert_eq!(writes, [b"HEAD\r\nxxx".to_vec()]);
        assert_eq!(told_end.try_recv(), Ok(()));
        // But nobody waits for an end that is known.
        let (_, ended) = written(Content::Length(then_waits(vec![data(3)]), 3));
        assert!(matches!(ended, Some(Ok(()))));
    }

    #[test]
    fn a_request_of_which_something_was_taken_is_not_whole() {
        let mut out = Outgoing::over(false);
        out.begin(Content::Length(then_waits(vec![data(3)]), 9));
        let taken = poll_fn(|cx| Poll::Ready(out.fill(cx))).now_or_never();
        assert!(matches!(taken, Some(Ok(true))));
        assert!(out.into_body().is_none());
    }
}
