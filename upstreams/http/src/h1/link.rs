//! An HTTP/1.1 connection that is driven by whoever uses it.

use std::{
    future::{Future as _, poll_fn},
    pin::{Pin, pin},
    task::{Context, Poll, Waker, ready},
};

use bytes::Bytes;
use callgate_core::{Body, fairness::moved};
use http::{Request, StatusCode, response};
use http_body::{Frame, SizeHint};
use tokio::{
    io::{AsyncRead, ReadBuf},
    task::unconstrained,
};

use super::{broken::Broken, head};
use crate::{
    error::Malformed,
    framing,
    io::Stream,
    wire::{Arrived, Content, Decoded, Decoder, Outgoing, WireError, announced_trailers},
};

/// How much is read for a head: all interim replies, and what comes with the head in the last read.
const MAX_READ_FOR_HEAD: usize = 1 << 20;

/// A connection, with what was read of a reply and what is to be written of a request.
#[derive(Debug)]
pub(crate) struct Link {
    stream: Stream,
    read: Arrived,
    decoder: Decoder,
    upload: Outgoing,
    /// Another request may follow, as far as the last reply's head says.
    keeps_open: bool,
}

/// An exchange that ended before the reply's head.
pub(crate) struct Lost {
    pub(crate) error: Broken,
    /// The request is as it was; else some of it is gone.
    pub(crate) is_whole: bool,
    /// Whether something of the request was written.
    pub(crate) sent: bool,
    /// Whether not a single byte of a reply was read.
    pub(crate) silent: bool,
}

/// How far a head has been read.
#[derive(Default)]
struct Reading {
    /// Bytes that came for it.
    bytes: usize,
    /// How much of what is there was looked at in vain.
    seen: usize,
    /// A head was read into the memory of the request's headers.
    over_request: bool,
}

impl Link {
    pub(crate) fn new(stream: Stream) -> Self {
        Self {
            upload: Outgoing::over(matches!(stream, Stream::Tls(_))),
            stream,
            read: Arrived::default(),
            decoder: Decoder::nothing(),
            keeps_open: true,
        }
    }

    /// Sends a request and reads the head of its reply. The reply may come before all of the request is sent.
    ///
    /// `upgrade` says whether 101 is an answer to the request.
    pub(crate) async fn exchange(
        &mut self,
        request: &mut Request<Body>,
        upgrade: bool,
    ) -> Result<response::Parts, Lost> {
        let body = std::mem::take(request.body_mut());
        let whole = body.in_memory();
        let content = match (&whole, body.known_length()) {
            (Some(whole), _) => Content::Whole(whole.clone()),
            (None, Some(length)) => Content::Length(body, length),
            (None, None) => Content::Chunked(body, announced_trailers(request.headers())),
        };
        let chunked = matches!(content, Content::Chunked(..));
        head::write(request, chunked, self.upload.begin(content));
        let (mut reading, mut failure) = (Reading::default(), None);
        let answer = poll_fn(|cx| {
            if failure.is_none() && !self.upload.is_done() {
                match self.upload.poll(&mut self.stream, cx) {
                    // The peer may have replied before it closed; a socket that is closed wakes who reads.
                    Poll::Ready(Err(error @ WireError::Io(_))) if matches!(self.stream, Stream::Tcp(_)) => {
                        failure = Some(Broken::Wire(error));
                    }
                    Poll::Ready(Err(error)) => return Poll::Ready(Err(error.into())),
                    Poll::Ready(Ok(())) | Poll::Pending => {}
                }
            }
            let answer = ready!(self.poll_head(request, upgrade, &mut reading, cx));
            Poll::Ready(answer.map_err(|error| match error {
                Broken::Wire(WireError::Io(_)) | Broken::Closed => failure.take().unwrap_or(error),
                error => error,
            }))
        })
        .await;
        answer.map_err(|error| self.lost(error, request, whole, &reading))
    }

    fn lost(&mut self, error: Broken, request: &mut Request<Body>, whole: Option<Bytes>, reading: &Reading) -> Lost {
        let upload = std::mem::take(&mut self.upload);
        let sent = upload.has_begun();
        let body = match &error {
            // What is left of it is not all of it.
            Broken::Wire(WireError::Body(_)) => None,
            _ => whole.map(Body::from).or_else(|| upload.into_body()),
        };
        let is_whole = body.is_some() && !reading.over_request;
        *request.body_mut() = body.unwrap_or_default();
        Lost { error, is_whole, sent, silent: reading.bytes == 0 }
    }

    fn poll_head(
        &mut self,
        request: &mut Request<Body>,
        upgrade: bool,
        reading: &mut Reading,
        cx: &mut Context<'_>,
    ) -> Poll<Result<response::Parts, Broken>> {
        loop {
            while self.read.bytes.len() > reading.seen {
                let Some(head) = head::read(&mut self.read.bytes, reading.seen, request.headers_mut())? else {
                    reading.seen = self.read.bytes.len();
                    break;
                };
                let head::Head { parts: mut head, said, keeps_open } = head;
                (reading.seen, reading.over_request) = (0, true);
                if head.status.is_informational() && head.status != StatusCode::SWITCHING_PROTOCOLS {
                    continue;
                }
                if head.status == StatusCode::SWITCHING_PROTOCOLS && !self.upload.is_done() {
                    return Poll::Ready(Err(Malformed::Upgrade.into()));
                }
                self.keeps_open = keeps_open && said.is_certain(head.status);
                self.decoder = Decoder::new(framing::of_reply(&mut head, said, request.method(), upgrade)?);
                return Poll::Ready(Ok(head));
            }
            if self.read.bytes.len() > head::MAX || reading.bytes > MAX_READ_FOR_HEAD {
                return Poll::Ready(Err(WireError::HeadTooLong.into()));
            }
            match ready!(self.poll_read(cx))? {
                0 => return Poll::Ready(Err(Broken::Closed)),
                count => reading.bytes += count,
            }
        }
    }

    /// Reads what has come; 0 when the peer sends nothing more.
    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<Result<usize, Broken>> {
        let count = ready!(self.read.poll_more(&mut self.stream, cx))?;
        moved(cx, count);
        Poll::Ready(Ok(count))
    }

    /// The next frame of the reply as far as it is there already; nothing is awaited.
    pub(super) fn next_frame_now(&mut self) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        match self.decoder.next(&mut self.read.bytes) {
            Ok(Decoded::More) => Poll::Pending,
            Ok(Decoded::End) => Poll::Ready(None),
            Ok(Decoded::Frame(frame)) => Poll::Ready(Some(Ok(frame))),
            Err(error) => Poll::Ready(Some(Err(error.into()))),
        }
    }

    /// The next frame of the reply.
    pub(super) fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        loop {
            if let Poll::Ready(frame) = self.next_frame_now() {
                return Poll::Ready(frame);
            }
            let ended = match ready!(self.poll_read(cx)) {
                Ok(0) => self.decoder.close().map_err(Broken::from),
                Ok(_) => continue,
                Err(error) => Err(error),
            };
            self.keeps_open = false;
            return Poll::Ready(ended.err().map(Err));
        }
    }

    /// How much of the reply is to come.
    pub(super) fn size_hint(&self) -> SizeHint {
        self.decoder.size_hint()
    }

    /// Whether all of the reply was taken.
    pub(super) fn is_received(&self) -> bool {
        self.decoder.is_done()
    }

    /// Whether the request is still being sent.
    pub(super) fn is_uploading(&self) -> bool {
        !self.upload.is_done()
    }

    /// Sends what is left of the request.
    pub(super) fn poll_upload(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), WireError>> {
        self.upload.poll(&mut self.stream, cx)
    }

    /// Whether the last exchange is complete in both directions, and another one may follow.
    pub(super) fn is_complete(&self) -> bool {
        self.keeps_open && self.is_received() && !self.is_uploading() && self.read.bytes.is_empty()
    }

    /// Gives back memory that an unused connection does not need.
    pub(super) fn rest(&mut self) {
        self.read.lend();
    }

    /// Whether an unused connection takes a request now: the peer has neither closed it nor sent anything that nobody
    /// asked for.
    pub(crate) fn is_open(&mut self) -> bool {
        let mut byte = [0];
        let mut space = ReadBuf::new(&mut byte);
        // A task without budget left would be told that nothing has come.
        let came = unconstrained(poll_fn(|cx| Pin::new(&mut self.stream).poll_read(cx, &mut space)));
        pin!(came).poll(&mut Context::from_waker(Waker::noop())).is_pending()
    }

    /// After 101: the stream, with what was read beyond the head.
    pub(crate) fn into_stream(self) -> (Stream, Bytes) {
        (self.stream, self.read.bytes.freeze())
    }
}
