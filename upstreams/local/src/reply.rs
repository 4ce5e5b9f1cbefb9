//! Replies that a function streams.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use callgate_aws_event::{HTTP_INTEGRATION, Head, Prelude, ReplyError, StreamFailure};
use callgate_core::{Body, BodyError, ErrorKind, UpstreamError};
use http::{HeaderMap, HeaderValue, Request, header};
use http_body::Frame;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use tokio::{select, sync::mpsc};

use crate::{
    api::{self, Call},
    error,
    job::Outcome,
};

/// The trailers by which a function tells that it failed in the middle of its reply.
const ERROR_TYPE: &str = "lambda-runtime-function-error-type";
const ERROR_BODY: &str = "lambda-runtime-function-error-body";
/// The chunks that may wait for a slow client.
const AHEAD: usize = 16;

enum Piece {
    Data(Bytes),
    /// The reply is complete. Without it the client's connection is broken.
    End,
}

/// Moves the rest of a streamed reply from the process to the client.
pub(crate) struct Pump {
    from: Incoming,
    /// Gone once the function has failed.
    to: Option<mpsc::Sender<Piece>>,
}

/// Reads a streamed reply whole.
pub(crate) async fn collect(request: Request<Incoming>, limit: u64) -> Result<Outcome, UpstreamError> {
    let (parts, mut from) = request.into_parts();
    let mut bytes = Vec::new();
    while let Some(frame) = from.frame().await {
        let frame = frame.map_err(|error| api::unreadable(BodyError::Cut(error.into())))?;
        match frame.into_data() {
            Ok(data) if (bytes.len() + data.len()) as u64 > limit => {
                return Err(api::unreadable(BodyError::TooLarge { limit }));
            }
            Ok(data) => {
                failure_in(&data)?;
                bytes.extend_from_slice(&data);
            }
            Err(frame) => failure(frame.trailers_ref())?,
        }
    }
    if !has_prelude(&parts.headers) {
        return Ok(Outcome::Reply(bytes.into()));
    }
    match Prelude::default().push(&bytes)? {
        Some((head, rest)) => Ok(Outcome::Streamed(head, rest.into())),
        None => Err(ReplyError::Prelude.into()),
    }
}

/// Reads the head of a streamed reply.
pub(crate) async fn start(request: Request<Incoming>) -> Result<(Outcome, Pump), UpstreamError> {
    let (parts, mut from) = request.into_parts();
    let (head, first) = if has_prelude(&parts.headers) {
        read_prelude(&mut from).await?
    } else {
        (plain_head(&parts.headers), Bytes::new())
    };
    let (to, pieces) = mpsc::channel(AHEAD);
    if !first.is_empty() {
        to.send(Piece::Data(first)).await.ok();
    }
    Ok((Outcome::Streamed(head, Body::new(StreamedBody { pieces, ended: false })), Pump { from, to: Some(to) }))
}

async fn read_prelude(from: &mut Incoming) -> Result<(Head, Bytes), UpstreamError> {
    let mut prelude = Prelude::default();
    while let Some(frame) = from.frame().await {
        let frame = frame.map_err(|error| api::unreadable(BodyError::Cut(error.into())))?;
        match frame.into_data() {
            Ok(data) => {
                if let Some(found) = prelude.push(&data)? {
                    return Ok(found);
                }
            }
            Err(frame) => failure(frame.trailers_ref())?,
        }
    }
    Err(prelude.cut().into())
}

impl Pump {
    /// Reads to the end even when the client is gone, so that the process can go on.
    pub(crate) async fn run(mut self, calls: &mpsc::Sender<Call>) {
        let mut is_read = true;
        loop {
            let frame = select! {
                frame = self.from.frame() => frame,
                () = abandoned(self.to.as_ref()), if is_read => {
                    is_read = false;
                    calls.send(Call::StreamAbandoned).await.ok();
                    continue;
                }
            };
            match frame {
                None => break,
                Some(Err(_)) => return,
                Some(Ok(frame)) => self.pass_on(frame).await,
            }
        }
        if let Some(to) = self.to {
            to.send(Piece::End).await.ok();
        }
    }

    async fn pass_on(&mut self, frame: Frame<Bytes>) {
        let passed = match frame.into_data() {
            Ok(data) => match (failure_in(&data), &self.to) {
                (Ok(()), Some(to)) => {
                    to.send(Piece::Data(data)).await.ok();
                    Ok(())
                }
                (result, _) => result,
            },
            Err(frame) => failure(frame.trailers_ref()),
        };
        if let Err(error) = passed {
            tracing::warn!(%error, "The function failed in the middle of its reply.");
            self.to = None;
        }
    }
}

/// Ready when the client is gone.
async fn abandoned(to: Option<&mpsc::Sender<Piece>>) {
    match to {
        Some(to) => to.closed().await,
        None => std::future::pending().await,
    }
}

/// The head of a reply that says nothing of HTTP.
fn plain_head(headers: &HeaderMap) -> Head {
    let mut head = Head::default();
    let kind = headers.get(header::CONTENT_TYPE).cloned();
    head.headers.insert(header::CONTENT_TYPE, kind.unwrap_or(HeaderValue::from_static("application/octet-stream")));
    head
}

fn has_prelude(headers: &HeaderMap) -> bool {
    headers.get(header::CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(HTTP_INTEGRATION.as_bytes()))
}

/// Tells whether a chunk is no part of the reply.
fn failure_in(chunk: &[u8]) -> Result<(), UpstreamError> {
    let failure = StreamFailure::in_chunk(chunk);
    failure.map_or(Ok(()), |failure| {
        let StreamFailure { kind, document } = failure;
        let what = String::from_utf8_lossy(&document);
        Err(error::broken(format!("the function failed in the middle of its reply: {kind}: {what}")))
    })
}

fn failure(trailers: Option<&HeaderMap>) -> Result<(), UpstreamError> {
    let Some(kind) = trailers.and_then(|trailers| trailers.get(ERROR_TYPE)) else {
        return Ok(());
    };
    let document = trailers
        .and_then(|trailers| trailers.get(ERROR_BODY))
        .and_then(|document| STANDARD.decode(document.as_bytes()).ok());
    Err(match document {
        Some(document) => error::reported("the function failed in the middle of its reply", &document),
        None => UpstreamError::new(
            ErrorKind::FunctionError,
            format!("the function failed in the middle of its reply: {}", String::from_utf8_lossy(kind.as_bytes())),
        ),
    })
}

struct StreamedBody {
    pieces: mpsc::Receiver<Piece>,
    ended: bool,
}

impl http_body::Body for StreamedBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        if self.ended {
            return Poll::Ready(None);
        }
        let piece = ready!(self.pieces.poll_recv(cx));
        if let Some(Piece::Data(data)) = piece {
            return Poll::Ready(Some(Ok(Frame::data(data))));
        }
        self.ended = true;
        Poll::Ready(match piece {
            Some(_) => None,
            None => Some(Err(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                "the function's process ended or failed in the middle of its reply",
            ))),
        })
    }
}
