//! A connection's socket, with what was read of it and what is to be written.

use std::{
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::{Buf as _, Bytes};
use callgate_core::BodyError;
use callgate_http::wire::{Arrived, Decoded, Decoder, Delimited, Outgoing, WireError};

use super::{
    answer,
    head::{self, Head, Refusal},
    intake::{Intake, Reader},
};
use crate::server::{activity::Activity, socket::Socket};

/// What a client says first that speaks HTTP/2 without asking (RFC 9113, 3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// How much of a body that nobody reads is passed over, so that another request may follow on the connection.
const MOST_PASSED: u64 = 64 << 10;

/// What is read where a head is due.
#[allow(clippy::large_enum_variant, reason = "nearly all are heads, and to box each would cost more")]
pub(super) enum Opening {
    Head(Head),
    /// Not HTTP/1.1, but HTTP/2.
    Preface,
    /// The client sends nothing more.
    End,
}

/// Why no head was read.
pub(super) enum Unread {
    Refused(Refusal),
    Broken(WireError),
}

/// What came of looking after a request's body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Moved {
    /// Its reader, in this task, has something new.
    Fed,
    /// It has to be waited.
    Waits,
    /// The body concerns nobody any more.
    Over,
}

/// A connection.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) socket: Socket,
    read: Arrived,
    /// How much of what was read is no whole head.
    seen: usize,
    pub(super) out: Outgoing,
    intake: Option<Intake>,
    /// The client waits to be asked for the body.
    to_ask: bool,
    /// How much was passed over of a body that nobody reads.
    passed: u64,
    /// A body broke, or is too long to be passed over: nothing behind it is believed.
    pub(super) is_broken: bool,
}

impl Link {
    pub(super) fn new(socket: Socket) -> Self {
        Self {
            socket,
            read: Arrived::default(),
            seen: 0,
            out: Outgoing::of_answers(),
            intake: None,
            to_ask: false,
            passed: 0,
            is_broken: false,
        }
    }

    /// Whether something has come of a next request.
    pub(super) fn has_more(&self) -> bool {
        !self.read.bytes.is_empty()
    }

    /// Reads the next head of at most `most` bytes. `is_first` where HTTP/2 may be what comes.
    pub(super) fn poll_head(
        &mut self,
        most: usize,
        is_first: bool,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Opening, Unread>> {
        loop {
            if self.seen == 0 {
                self.skip_empty_lines();
            }
            if self.read.bytes.len() > self.seen {
                if is_first && self.read.bytes.starts_with(PREFACE) {
                    return Poll::Ready(Ok(Opening::Preface));
                }
                if !(is_first && PREFACE.starts_with(&self.read.bytes)) {
                    let read = head::read(&mut self.read.bytes, self.seen, most).map_err(Unread::Refused)?;
                    if let Some(head) = read {
                        self.seen = 0;
                        return Poll::Ready(Ok(Opening::Head(head)));
                    }
                    self.seen = self.read.bytes.len();
                }
            }
            if ready!(self.poll_read(cx)).map_err(|error| Unread::Broken(error.into()))? == 0 {
                return Poll::Ready(if self.read.bytes.is_empty() {
                    Ok(Opening::End)
                } else {
                    Err(Unread::Broken(WireError::Cut))
                });
            }
        }
    }

    /// Some clients send an empty line behind a body (RFC 9112, 2.2). It begins no head.
    fn skip_empty_lines(&mut self) {
        let empty = self.read.bytes.iter().take_while(|byte| matches!(**byte, b'\r' | b'\n')).count();
        self.read.bytes.advance(empty);
    }

    /// The body of the request whose head was read.
    pub(super) fn body(
        &mut self,
        delimited: Delimited,
        expects_continue: bool,
        activity: &Arc<Activity>,
    ) -> callgate_core::Body {
        self.intake = None;
        (self.to_ask, self.passed) = (false, 0);
        match delimited {
            Delimited::Length(0) => callgate_core::Body::empty(),
            // It has come with its head.
            Delimited::Length(length) if length <= self.read.bytes.len() as u64 => {
                let length = usize::try_from(length).unwrap_or(usize::MAX).min(self.read.bytes.len());
                self.read.bytes.split_to(length).freeze().into()
            }
            delimited => {
                let (intake, body) = Intake::new(Decoder::new(delimited), activity);
                (self.intake, self.to_ask) = (Some(intake), expects_continue);
                body
            }
        }
    }

    /// Whether a body of a request is still coming in.
    pub(super) fn has_body(&self) -> bool {
        self.intake.is_some()
    }

    /// Reads of a request's body what its reader waits for. With nothing of it left, watches whether the client goes.
    pub(super) fn poll_body(&mut self, cx: &mut Context<'_>) -> Result<Moved, WireError> {
        loop {
            let Some(intake) = &self.intake else {
                return self.watch(cx);
            };
            match intake.reader() {
                Reader::Busy => return Ok(Moved::Waits),
                Reader::Done => {
                    self.intake = None;
                    continue;
                }
                Reader::Left => return self.pass_body(cx),
                Reader::Waits => {}
            }
            let next = match self.next_frame(cx) {
                Poll::Pending => return Ok(Moved::Waits),
                Poll::Ready(next) => next,
            };
            self.is_broken |= matches!(next, Some(Err(_)));
            if self.intake.as_ref().is_some_and(|intake| intake.give(next, cx)) {
                return Ok(Moved::Fed);
            }
        }
    }

    fn next_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<http_body::Frame<Bytes>, BodyError>>> {
        let cut = |error: WireError| Poll::Ready(Some(Err(BodyError::Cut(error.into()))));
        loop {
            let Some(intake) = &mut self.intake else { return Poll::Ready(None) };
            match intake.decoder.next(&mut self.read.bytes) {
                Ok(Decoded::Frame(frame)) => return Poll::Ready(Some(Ok(frame))),
                Ok(Decoded::End) => return Poll::Ready(None),
                Ok(Decoded::More) => {}
                Err(error) => return cut(error),
            }
            if std::mem::take(&mut self.to_ask) {
                answer::ask_for_body(&mut self.out);
            }
            match ready!(self.poll_read(cx)) {
                Ok(0) => return cut(WireError::Cut),
                Ok(_) => {}
                Err(error) => return cut(error.into()),
            }
        }
    }

    /// The answer begins: a body that was not asked for by now will not be, and whether it comes is not known.
    pub(super) fn stop_asking(&mut self) {
        self.is_broken |= std::mem::take(&mut self.to_ask);
        self.is_broken |= self
            .intake
            .as_ref()
            .is_some_and(|intake| intake.reader() == Reader::Left && intake.decoder.size_hint().lower() > MOST_PASSED);
    }

    /// Whether somebody still reads a request's body.
    pub(super) fn is_read(&self) -> bool {
        self.intake.as_ref().is_some_and(|intake| matches!(intake.reader(), Reader::Waits | Reader::Busy))
    }

    /// Notices that the client goes away while its request is being answered. What it sends meanwhile is kept for the
    /// request after this one, up to a bound.
    fn watch(&mut self, cx: &mut Context<'_>) -> Result<Moved, WireError> {
        if self.read.bytes.len() < Arrived::MOST {
            match self.poll_read(cx) {
                Poll::Ready(Ok(0)) => return Err(WireError::Cut),
                Poll::Ready(Err(error)) => return Err(error.into()),
                Poll::Ready(Ok(_)) | Poll::Pending => {}
            }
        }
        Ok(Moved::Over)
    }

    /// Reads past what nobody wants of a request's body, so that another request may follow; where that is too much, none
    /// does.
    fn pass_body(&mut self, cx: &mut Context<'_>) -> Result<Moved, WireError> {
        while let (Some(intake), false) = (&mut self.intake, self.is_broken) {
            match intake.decoder.next(&mut self.read.bytes) {
                Ok(Decoded::Frame(frame)) => {
                    self.passed += frame.data_ref().map_or(0, |data| data.len() as u64);
                    if intake.decoder.is_done() {
                        self.intake = None;
                    } else {
                        self.is_broken = self.passed > MOST_PASSED;
                    }
                }
                Ok(Decoded::End) => self.intake = None,
                Ok(Decoded::More) => match self.poll_read(cx) {
                    Poll::Pending => return Ok(Moved::Waits),
                    Poll::Ready(Ok(1..)) => {}
                    Poll::Ready(_) => return Err(WireError::Cut),
                },
                Err(_) => self.is_broken = true,
            }
        }
        Ok(Moved::Over)
    }

    /// Gives back memory that a usual request does not need.
    pub(super) fn shrink(&mut self) {
        self.read.shrink();
    }

    /// Gives back all memory that a connection without a request does not need.
    pub(super) fn give_back(&mut self) {
        self.read = Arrived::default();
        self.out = Outgoing::of_answers();
    }

    /// The connection after 101, with what was read beyond the request.
    pub(super) fn into_parts(self) -> (Bytes, Socket) {
        (self.read.bytes.freeze(), self.socket)
    }

    /// Reads what has come; 0 when the client sends nothing more.
    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<std::io::Result<usize>> {
        self.read.poll_more(&mut self.socket, cx)
    }
}
