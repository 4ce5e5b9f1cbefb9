//! A request's body that can be sent more than once, as long as it is small.

use std::{
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, ready},
};

use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use http_body::{Body as HttpBody, Frame, SizeHint};

use crate::body::{Body, BodyError};

/// A frame below this size, in bytes, is copied: by reference it may hold a buffer many times as large.
const SMALL: usize = 1024;

/// The body of a request, for one attempt after the other. The first one reads it as it comes; what was read is kept
/// for the next ones, by reference and not as a copy, except for small frames.
pub(super) enum Replay {
    /// It is in memory.
    Whole(Bytes),
    Streamed(Arc<Mutex<Tape>>),
}

/// What of a body has come so far.
pub(super) struct Tape {
    rest: Body,
    kept: Vec<Kept>,
    /// The small frames behind those that are kept.
    small: BytesMut,
    /// The length of what is kept, in bytes.
    length: u64,
    /// How much may be kept, in bytes.
    limit: u64,
    /// It is too large, or broke off: it can't be sent again.
    spent: bool,
    /// The attempt that reads.
    reader: u32,
}

#[derive(Clone)]
enum Kept {
    Data(Bytes),
    Trailers(HeaderMap),
}

impl Replay {
    pub(super) fn new(body: Body, limit: u64) -> Self {
        match body.in_memory() {
            Some(bytes) => Self::Whole(bytes),
            None => Self::Streamed(Arc::new(Mutex::new(Tape {
                rest: body,
                kept: Vec::new(),
                small: BytesMut::new(),
                length: 0,
                limit,
                spent: false,
                reader: 0,
            }))),
        }
    }

    /// The body for the next attempt; the one before must not need its own any more.
    pub(super) fn next(&self) -> Body {
        match self {
            Self::Whole(bytes) => bytes.clone().into(),
            Self::Streamed(tape) => {
                let mut begun = lock(tape);
                begun.reader += 1;
                let reader = Reader { number: begun.reader, at: 0, sent: 0, tape: Arc::clone(tape) };
                drop(begun);
                Body::new(reader)
            }
        }
    }

    /// Whether it can be sent from its beginning once more.
    pub(super) fn is_complete(&self) -> bool {
        match self {
            Self::Whole(_) => true,
            Self::Streamed(tape) => !lock(tape).spent,
        }
    }
}

fn lock(tape: &Mutex<Tape>) -> MutexGuard<'_, Tape> {
    tape.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Tape {
    fn poll_rest(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let frame = ready!(Pin::new(&mut self.rest).poll_frame(cx));
        match &frame {
            Some(Ok(frame)) => self.keep(frame),
            Some(Err(_)) => self.spend(),
            None => {}
        }
        Poll::Ready(frame)
    }

    fn keep(&mut self, frame: &Frame<Bytes>) {
        if self.spent {
            return;
        }
        if let Some(data) = frame.data_ref() {
            self.length += data.len() as u64;
            if self.length > self.limit {
                return self.spend();
            }
            if data.len() < SMALL {
                self.small.extend_from_slice(data);
            } else {
                self.join();
                self.kept.push(Kept::Data(data.clone()));
            }
        } else if let Some(trailers) = frame.trailers_ref() {
            self.join();
            self.kept.push(Kept::Trailers(trailers.clone()));
        }
    }

    /// Makes one frame of the small ones.
    fn join(&mut self) {
        if !self.small.is_empty() {
            self.kept.push(Kept::Data(self.small.split().freeze()));
        }
    }

    fn spend(&mut self) {
        self.spent = true;
        self.kept = Vec::new();
        self.small = BytesMut::new();
    }
}

/// The body of one attempt.
struct Reader {
    tape: Arc<Mutex<Tape>>,
    number: u32,
    /// How many of the kept frames it has read.
    at: usize,
    /// How many of the kept bytes it has read.
    sent: u64,
}

impl HttpBody for Reader {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = &mut *self;
        let mut tape = lock(&this.tape);
        if tape.reader != this.number {
            // Another attempt reads; this one must not take anything away from it.
            let over = std::io::Error::other("the attempt is over");
            return Poll::Ready(Some(Err(BodyError::Cut(over.into()))));
        }
        if this.at == tape.kept.len() && this.sent < tape.length {
            tape.join();
        }
        match tape.kept.get(this.at).cloned() {
            Some(kept) => {
                this.at += 1;
                Poll::Ready(Some(Ok(match kept {
                    Kept::Data(data) => {
                        this.sent += data.len() as u64;
                        Frame::data(data)
                    }
                    Kept::Trailers(trailers) => Frame::trailers(trailers),
                })))
            }
            None => {
                let frame = ready!(tape.poll_rest(cx));
                this.at = tape.kept.len();
                this.sent = tape.length;
                Poll::Ready(frame)
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        let tape = lock(&self.tape);
        self.at >= tape.kept.len() && self.sent >= tape.length && tape.rest.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let tape = lock(&self.tape);
        let (kept, rest) = (tape.length.saturating_sub(self.sent), tape.rest.size_hint());
        let mut hint = SizeHint::new();
        if let Some(upper) = rest.upper() {
            hint.set_upper(upper.saturating_add(kept));
        }
        hint.set_lower(rest.lower().saturating_add(kept));
        hint
    }
}

#[cfg(test)]
mod tests {
    use futures_util::stream;
    use http_body_util::{BodyExt, StreamBody};

    use super::*;

    fn streamed(parts: &'static [&'static str], trailer: bool) -> Body {
        let trailers = trailer.then(|| {
            Frame::trailers(HeaderMap::from_iter([(http::header::ETAG, http::HeaderValue::from_static("a"))]))
        });
        let frames = parts.iter().map(|part| Frame::data(Bytes::from_static(part.as_bytes()))).chain(trailers);
        Body::new(StreamBody::new(stream::iter(frames.map(Ok::<_, BodyError>))))
    }

    #[tokio::test]
    async fn every_attempt_gets_the_whole_body() {
        let replay = Replay::new(streamed(&["ab", "cd", "e"], true), 5);
        let mut first = replay.next();
        assert_eq!(first.frame().await.unwrap().unwrap().into_data().unwrap(), "ab");
        assert!(replay.is_complete());
        for _ in 0..2 {
            let (bytes, trailers) = replay.next().collect_whole(5).await.unwrap();
            assert_eq!((bytes, trailers.map(|trailers| trailers.len())), ("abcde".into(), Some(1)));
        }
        assert!(replay.is_complete());
    }

    #[tokio::test]
    async fn small_frames_are_kept_together_and_in_their_order() {
        let large = "l".repeat(SMALL).leak() as &'static str;
        let parts = ["a", "b", "", large, "c", "d"].repeat(100).leak() as &'static [&'static str];
        let replay = Replay::new(streamed(parts, true), 1 << 20);
        let whole = parts.concat();
        for _ in 0..3 {
            assert_eq!(replay.next().collect(1 << 20).await.unwrap(), whole);
        }
        let Replay::Streamed(tape) = &replay else { panic!("it is in memory") };
        assert_eq!(lock(tape).kept.len(), 100 + 101 + 1);
        let many = vec!["x"; 5000].leak() as &'static [&'static str];
        let replay = Replay::new(streamed(many, false), 5000);
        let mut first = replay.next();
        for _ in 0..2500 {
            first.frame().await.unwrap().unwrap();
        }
        assert_eq!(replay.next().collect(1 << 20).await.unwrap().len(), 5000);
        let Replay::Streamed(tape) = &replay else { panic!("it is in memory") };
        assert_eq!(lock(tape).kept.len(), 1, "the second reader joined the first half and read the rest");
    }

    #[tokio::test]
    async fn a_body_over_the_limit_is_sent_once() {
        let replay = Replay::new(streamed(&["ab", "cd", "e"], false), 4);
        assert_eq!(replay.next().collect(9).await.unwrap(), "abcde");
        assert!(!replay.is_complete());
    }

    #[tokio::test]
    async fn a_body_of_which_nothing_was_read_can_be_sent_whatever_its_size() {
        let replay = Replay::new(streamed(&["ab", "cd", "e"], false), 1);
        drop(replay.next());
        assert!(replay.is_complete());
        assert_eq!(replay.next().collect(9).await.unwrap(), "abcde");
    }

    #[tokio::test]
    async fn a_former_attempt_takes_nothing_away() {
        let replay = Replay::new(streamed(&["ab", "cd"], false), 9);
        let (mut former, next) = (replay.next(), replay.next());
        assert!(former.frame().await.unwrap().is_err());
        assert_eq!(next.collect(9).await.unwrap(), "abcd");
    }

    #[tokio::test]
    async fn the_length_is_known_to_every_attempt() {
        let replay = Replay::new(Body::new(http_body_util::Full::new(Bytes::from_static(b"abc"))), 9);
        let mut first = replay.next();
        assert_eq!(first.known_length(), Some(3));
        first.frame().await.unwrap().unwrap();
        assert_eq!((first.known_length(), replay.next().known_length()), (Some(0), Some(3)));
        let replay = Replay::new("abc".into(), 1);
        assert_eq!((replay.next().as_bytes(), replay.is_complete()), (Some(&b"abc"[..]), true));
    }
}
