//! The Lambda Runtime API, as one process is served it.

use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use bytes::Bytes;
use callgate_core::{Body, ErrorKind, UpstreamError};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{
    net::TcpStream,
    sync::{mpsc, oneshot},
};

use crate::{
    error,
    job::{Job, Outcome},
    reply,
};

const PREFIX: &str = "/2018-06-01/runtime/";
const RESPONSE_MODE: HeaderName = HeaderName::from_static("lambda-runtime-function-response-mode");
const ERROR_TYPE: HeaderName = HeaderName::from_static("lambda-runtime-function-error-type");
/// The document that reports an error is for the log.
const ERROR_LIMIT: u64 = 1 << 20;

/// What the process says.
pub(crate) enum Call {
    /// It asks for the next invocation.
    Next(oneshot::Sender<Response<Full<Bytes>>>),
    /// It answers the invocation of this id; told is whether that is the current one.
    Answer { id: String, answer: Answer, accepted: oneshot::Sender<bool> },
    /// The reply that it streamed is complete, or broken.
    StreamEnded,
    /// Nobody reads the reply that it streams any more.
    StreamAbandoned,
    /// It could not start.
    InitError(UpstreamError),
}

/// What a process makes of an invocation.
pub(crate) enum Answer {
    Whole(Result<Outcome, UpstreamError>),
    /// The reply has begun, and the process goes on with it.
    Streams(Outcome),
}

/// What the two sides know of each other.
#[derive(Debug)]
pub(crate) struct Api {
    pub(crate) calls: mpsc::Sender<Call>,
    /// The bytes of the current reply that may be collected.
    pub(crate) max_body: AtomicU64,
    /// Whether a streamed reply is sent on as it comes.
    pub(crate) stream: bool,
}

/// Serves a connection of the process to its end.
pub(crate) async fn serve(stream: TcpStream, api: Arc<Api>) {
    stream.set_nodelay(true).ok();
    let service = service_fn(move |request| {
        let api = Arc::clone(&api);
        async move { Ok::<_, Infallible>(api.answer(request).await) }
    });
    // A connection that breaks shows in the state of the process.
    http1::Builder::new().serve_connection(TokioIo::new(stream), service).await.ok();
}

impl Api {
    async fn answer(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let path = request.uri().path().strip_prefix(PREFIX).unwrap_or_default().to_owned();
        let parts: Vec<_> = path.split('/').collect();
        match (request.method(), &parts[..]) {
            (&Method::GET, ["invocation", "next"]) => self.next().await,
            (&Method::POST, ["invocation", id, "response"]) => self.response(id, request).await,
            (&Method::POST, ["invocation", id, "error"]) => {
                let outcome = Err(reported("the function failed", request).await);
                self.accept(id, Answer::Whole(outcome)).await
            }
            (&Method::POST, ["init", "error"]) => {
                let error = reported("the function could not be initialised", request).await;
                self.calls.send(Call::InitError(error)).await.ok();
                accepted()
            }
            _ => refused(StatusCode::NOT_FOUND, "NotFound", "the Runtime API has no such operation"),
        }
    }

    async fn next(&self) -> Response<Full<Bytes>> {
        let (responder, response) = oneshot::channel();
        self.calls.send(Call::Next(responder)).await.ok();
        match response.await {
            Ok(response) => response,
            Err(_) => refused(StatusCode::GONE, "Stopped", "the process is being stopped"),
        }
    }

    async fn response(&self, id: &str, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let limit = self.max_body.load(Ordering::Relaxed);
        let streaming =
            request.headers().get(RESPONSE_MODE).is_some_and(|mode| mode.as_bytes().eq_ignore_ascii_case(b"streaming"));
        if !streaming {
            let outcome = Body::new(request.into_body()).collect(limit).await.map(Outcome::Reply).map_err(unreadable);
            return self.accept(id, Answer::Whole(outcome)).await;
        }
        if !self.stream {
            let outcome = reply::collect(request, limit).await;
            return self.accept(id, Answer::Whole(outcome)).await;
        }
        match reply::start(request).await {
            Ok((outcome, pump)) => {
                let response = self.accept(id, Answer::Streams(outcome)).await;
                if response.status() == StatusCode::ACCEPTED {
                    pump.run(&self.calls).await;
                    self.calls.send(Call::StreamEnded).await.ok();
                }
                response
            }
            Err(error) => self.accept(id, Answer::Whole(Err(error))).await,
        }
    }

    async fn accept(&self, id: &str, answer: Answer) -> Response<Full<Bytes>> {
        let (sender, is_current) = oneshot::channel();
        self.calls.send(Call::Answer { id: id.to_owned(), answer, accepted: sender }).await.ok();
        if is_current.await.unwrap_or(false) {
            accepted()
        } else {
            refused(StatusCode::BAD_REQUEST, "InvalidRequestID", "this is not the current invocation")
        }
    }
}

/// The answer to `next`.
pub(crate) fn invocation(job: &Job, arn: &HeaderValue, deadline_millis: u64) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(job.event.clone()));
    let headers: &mut HeaderMap = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert("lambda-runtime-aws-request-id", job.id.to_header());
    headers.insert("lambda-runtime-deadline-ms", HeaderValue::from(deadline_millis));
    headers.insert("lambda-runtime-invoked-function-arn", arn.clone());
    if let Some(trace) = &job.trace {
        headers.insert("lambda-runtime-trace-id", trace.clone());
    }
    response
}

/// The reply could not be read. The cause goes into the message, not the source, so that nobody takes it for the error
/// of the request's own body.
#[allow(clippy::needless_pass_by_value, reason = "for map_err")]
pub(crate) fn unreadable(error: callgate_core::BodyError) -> UpstreamError {
    UpstreamError::new(ErrorKind::BadReply, format!("the function's reply could not be collected: {error}"))
}

async fn reported(when: &str, request: Request<Incoming>) -> UpstreamError {
    let kind = request.headers().get(ERROR_TYPE).map(|kind| String::from_utf8_lossy(kind.as_bytes()).into_owned());
    match Body::new(request.into_body()).collect(ERROR_LIMIT).await {
        Ok(document) => error::reported(when, &document),
        Err(error) => {
            let kind = kind.unwrap_or_else(|| "an error of an unknown type".to_owned());
            error::broken(format!("{when}: {kind}; the document that tells of it could not be read: {error}"))
        }
    }
}

fn accepted() -> Response<Full<Bytes>> {
    json(StatusCode::ACCEPTED, r#"{"status":"OK"}"#.to_owned())
}

fn refused(status: StatusCode, kind: &str, message: &str) -> Response<Full<Bytes>> {
    json(status, format!(r#"{{"errorType":"{kind}","errorMessage":"{message}"}}"#))
}

fn json(status: StatusCode, text: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(text));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
    };

    use super::*;

    /// The error that the worker learns of when a process sends this to `error`.
    async fn told(headers: &str, sent: Vec<u8>) -> String {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let mut process = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (stream, _) = listener.accept().await.unwrap();
        let (calls, mut called) = mpsc::channel(1);
        #[allow(clippy::disallowed_methods, reason = "a test has no core that would own the task")]
        tokio::spawn(serve(stream, Arc::new(Api { calls, max_body: AtomicU64::new(0), stream: false })));
        let head = format!("POST {PREFIX}invocation/1/error HTTP/1.1\r\nhost: x\r\n{headers}\r\n");
        #[allow(clippy::disallowed_methods, reason = "a test has no core that would own the task")]
        tokio::spawn(async move {
            process.write_all(head.as_bytes()).await.ok();
            process.write_all(&sent).await.ok();
            process.read_to_end(&mut Vec::new()).await.ok();
        });
        match called.recv().await {
            Some(Call::Answer { answer: Answer::Whole(Err(error)), .. }) => error.message().to_owned(),
            _ => panic!("no error was reported"),
        }
    }

    #[tokio::test]
    async fn an_error_whose_document_cannot_be_read_says_so() {
        let large = vec![b' '; 2 << 20];
        let headers = format!("lambda-runtime-function-error-type: Deep\r\ncontent-length: {}\r\n", large.len());
        assert_eq!(
            told(&headers, large).await,
            "the function failed: Deep; the document that tells of it could not be read: \
             the body is larger than the limit of 1048576 bytes"
        );
        assert_eq!(
            told("transfer-encoding: chunked\r\n", b"no chunk".to_vec()).await,
            "the function failed: an error of an unknown type; the document that tells of it could not be read: \
             the body was cut off before its end"
        );
        assert_eq!(
            told("content-length: 21\r\n", br#"{"errorType": "Late"}"#.to_vec()).await,
            "the function failed: Late"
        );
    }
}
