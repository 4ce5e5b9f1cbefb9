//! An HTTP/1.1 connection that is driven by whoever uses it: hyper's codec, without a task of its own.
//!
//! This is the only file that knows the codec.

use std::{
    future::Future,
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll, Waker},
};

use bytes::Bytes;
use callgate_core::Body;
use http::{Request, Response};
use http_body::{Body as _, Frame};
use hyper::{
    body::Incoming,
    client::conn::http1::{Builder, Connection, SendRequest},
};
use hyper_util::rt::TokioIo;
use tokio::task::unconstrained;

use super::upload::Upload;
use crate::{
    gate::Gate,
    io::{Stream, Watched},
    sent::Sent,
};

/// The longest head of a reply, trailers too.
const MAX_HEAD: usize = 64 << 10;

/// How much is read at once. What a fast service has sent waits in the system rather than here, where it would be memory of
/// every client that reads slowly.
const MAX_READ: usize = MAX_HEAD + (8 << 10);

/// How much is read for a head: all interim replies, and what comes with the head in the last read.
const MAX_READ_FOR_HEAD: usize = 1 << 20;

type Driver = Connection<TokioIo<Watched>, Upload>;

/// A connection and both ends of hyper's channel to it.
pub(crate) struct Link {
    sender: SendRequest<Upload>,
    /// `None` once it ended with a request that it had not taken.
    driver: Option<Driver>,
    gate: Arc<Gate>,
    /// The gate, as the driver sees it.
    waker: Waker,
    /// How the connection ended.
    end: Option<Result<(), hyper::Error>>,
    /// It was found idle when it was last driven.
    rests: bool,
}

/// An exchange that ended before the reply's head.
pub(crate) struct Lost {
    pub(crate) error: Option<hyper::Error>,
    /// The request, if nothing of it was sent.
    pub(crate) unsent: Option<Request<Body>>,
    /// Whether not a single byte of a reply was read.
    pub(crate) silent: bool,
    /// Whether all was read that may be read for a head.
    pub(crate) too_long: bool,
}

impl Link {
    pub(crate) async fn new(stream: Stream) -> Result<Self, hyper::Error> {
        let gate = Gate::new();
        let io = TokioIo::new(Watched { stream, gate: gate.clone(), sent: Sent::default() });
        let (sender, driver) = Builder::new().max_header_size(MAX_HEAD).max_buf_size(MAX_READ).handshake(io).await?;
        let waker = Waker::from(gate.clone());
        Ok(Self { sender, driver: Some(driver), gate, waker, end: None, rests: false })
    }

    /// Sends a request and reads the head of its reply. With `keep`, [`Self::into_request`] has it after a failure.
    pub(crate) async fn exchange(&mut self, request: Request<Body>, keep: bool) -> Result<Response<Incoming>, Lost> {
        self.rests = false;
        self.gate.close();
        self.gate.keep(keep);
        self.gate.await_head(MAX_READ_FOR_HEAD);
        let request = request.map(|body| Upload::new(body, &self.gate));
        // The reply's channel counts against the task's budget, and would then say "not yet" to a waker that wakes nobody.
        let mut reply = pin!(unconstrained(self.sender.try_send_request(request)));
        let answer = std::future::poll_fn(|cx| {
            self.gate.enter(cx.waker());
            drive(&mut self.driver, &mut self.end, &self.waker);
            let mut silent = Context::from_waker(Waker::noop());
            if let Poll::Ready(answer) = reply.as_mut().poll(&mut silent) {
                return Poll::Ready(Some(answer));
            }
            if self.end.is_some() {
                // The peer closed before the driver took the request: the channel's end gives it back.
                self.driver = None;
                return match reply.as_mut().poll(&mut silent) {
                    Poll::Ready(answer) => Poll::Ready(Some(answer)),
                    Poll::Pending => Poll::Ready(None),
                };
            }
            self.gate.leave();
            Poll::Pending
        })
        .await;
        let left = self.gate.head_came();
        let (silent, too_long) = (left == MAX_READ_FOR_HEAD, left == 0);
        match answer {
            Some(Ok(reply)) => Ok(reply),
            Some(Err(mut lost)) => {
                let unsent = lost.take_message().map(|request| request.map(Upload::into_inner));
                Err(Lost { unsent, silent, too_long, error: Some(lost.into_error()) })
            }
            None => Err(Lost { unsent: None, silent, too_long, error: self.take_error() }),
        }
    }

    /// The next frame as far as it is there already; nothing is awaited.
    pub(crate) fn next_frame_now(&mut self, body: &mut Incoming) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let mut silent = Context::from_waker(Waker::noop());
        self.gate.close();
        if let Poll::Ready(frame) = Pin::new(&mut *body).poll_frame(&mut silent) {
            return Poll::Ready(frame);
        }
        drive(&mut self.driver, &mut self.end, &self.waker);
        Pin::new(body).poll_frame(&mut silent)
    }

    /// Drives the connection until the next frame of the reply is there.
    pub(crate) fn poll_frame(
        &mut self,
        body: &mut Incoming,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let mut silent = Context::from_waker(Waker::noop());
        self.gate.enter(cx.waker());
        if let Poll::Ready(frame) = Pin::new(&mut *body).poll_frame(&mut silent) {
            return Poll::Ready(frame);
        }
        self.gate.close();
        drive(&mut self.driver, &mut self.end, &self.waker);
        if let Poll::Ready(frame) = Pin::new(body).poll_frame(&mut silent) {
            return Poll::Ready(frame);
        }
        self.gate.leave();
        Poll::Pending
    }

    /// Drives the connection until it waits for a request (true) or has ended (false).
    pub(crate) fn poll_idle(&mut self, cx: &mut Context<'_>) -> Poll<bool> {
        self.gate.enter(cx.waker());
        drive(&mut self.driver, &mut self.end, &self.waker);
        if self.end.is_some() {
            return Poll::Ready(false);
        }
        if self.sender.is_ready() {
            return Poll::Ready(true);
        }
        self.gate.leave();
        Poll::Pending
    }

    /// Whether the connection takes a request now: the last exchange is complete in both directions, and the peer has
    /// neither closed the connection nor sent anything that nobody asked for.
    pub(crate) fn is_idle(&mut self) -> bool {
        if self.rests && self.gate.is_quiet() {
            return true;
        }
        self.gate.close();
        drive(&mut self.driver, &mut self.end, &self.waker);
        self.rests = self.end.is_none() && self.sender.is_ready() && !self.gate.is_uploading();
        self.rests
    }

    /// Whether a streamed request is still being sent.
    pub(crate) fn is_uploading(&self) -> bool {
        self.gate.is_uploading()
    }

    /// Why the connection ended, if it failed.
    pub(crate) fn take_error(&mut self) -> Option<hyper::Error> {
        self.end.as_mut().and_then(|end| std::mem::replace(end, Ok(())).err())
    }

    /// The request that was sent last, if it was kept. One of which nothing was written is not here; what is kept then
    /// is the one before it.
    pub(crate) fn into_request(self) -> Option<Request<Body>> {
        if !self.gate.has_kept() {
            return None;
        }
        self.driver?.into_parts().io.into_inner().sent.request()
    }

    /// After 101: finishes the exchange and takes the stream out, with what was read beyond the head.
    pub(crate) async fn into_stream(mut self) -> Result<(Stream, Bytes), Option<hyper::Error>> {
        std::future::poll_fn(|cx| {
            self.gate.enter(cx.waker());
            drive(&mut self.driver, &mut self.end, &self.waker);
            if self.end.is_some() {
                return Poll::Ready(());
            }
            self.gate.leave();
            Poll::Pending
        })
        .await;
        if let Some(error) = self.take_error() {
            return Err(Some(error));
        }
        let parts = self.driver.ok_or(None)?.into_parts();
        Ok((parts.io.into_inner().stream, parts.read_buf))
    }
}

/// Does what can be done on the connection now.
///
/// The driver's channel and its socket would count against the task's budget too. Without it left, a closed connection
/// would look idle, and take a request.
fn drive(driver: &mut Option<Driver>, end: &mut Option<Result<(), hyper::Error>>, waker: &Waker) {
    let Some(driver) = driver.as_mut().filter(|_| end.is_none()) else { return };
    let driven = unconstrained(std::future::poll_fn(|cx| driver.poll_without_shutdown(cx)));
    if let Poll::Ready(ended) = pin!(driven).poll(&mut Context::from_waker(waker)) {
        *end = Some(ended);
    }
}
