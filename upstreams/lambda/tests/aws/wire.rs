//! A stand-in for Lambda's Invoke API: it answers what a test tells it and keeps what it was asked.
//!
//! It cannot prove anything about AWS: neither that a signature is right (MiniStack does that) nor that the service
//! really answers so. It serves for what the emulators don't do: throttles with an exact wait, a wrong clock, failures of
//! the service itself, replies that break off.

use std::{
    convert::Infallible,
    sync::{Arc, Mutex},
};

use aws_smithy_eventstream::frame::write_message_to;
use aws_smithy_types::event_stream::{Header, HeaderValue, Message};
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

/// A message of a streamed reply, as the official crate writes it.
pub(crate) fn message(event: &str, payload: &[u8]) -> Vec<u8> {
    let text = |text: &str| HeaderValue::String(text.to_owned().into());
    let message = Message::new(payload.to_vec())
        .add_header(Header::new(":message-type", text("event")))
        .add_header(Header::new(":event-type", text(event)))
        .add_header(Header::new(":content-type", text("application/octet-stream")));
    let mut bytes = Vec::new();
    write_message_to(&message, &mut bytes).unwrap();
    bytes
}

type Answer = dyn Fn(usize, &Request<Bytes>) -> Response<Bytes> + Send + Sync;

/// The stand-in, until it is dropped.
pub(crate) struct StandIn {
    pub(crate) endpoint: String,
    asked: Arc<Mutex<Vec<Request<Bytes>>>>,
    _task: JoinSet<()>,
}

impl StandIn {
    /// Answers each request by its number, from 0.
    pub(crate) async fn start(
        answer: impl Fn(usize, &Request<Bytes>) -> Response<Bytes> + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::default();
        let mut task = JoinSet::new();
        task.spawn(accept(listener, Arc::clone(&asked), Arc::new(answer)));
        Self { endpoint, asked, _task: task }
    }

    /// Every request so far.
    pub(crate) fn asked(&self) -> Vec<Request<Bytes>> {
        self.asked.lock().unwrap().clone()
    }
}

async fn accept(listener: TcpListener, asked: Arc<Mutex<Vec<Request<Bytes>>>>, answer: Arc<Answer>) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        connections.spawn(serve(stream, Arc::clone(&asked), Arc::clone(&answer)));
    }
}

async fn serve(stream: TcpStream, asked: Arc<Mutex<Vec<Request<Bytes>>>>, answer: Arc<Answer>) {
    let service = service_fn(|request: Request<Incoming>| {
        let (asked, answer) = (Arc::clone(&asked), Arc::clone(&answer));
        async move {
            let (head, body) = request.into_parts();
            let request = Request::from_parts(head, body.collect().await.unwrap().to_bytes());
            let number = {
                let mut asked = asked.lock().unwrap();
                asked.push(request.clone());
                asked.len() - 1
            };
            Ok::<_, Infallible>(answer(number, &request).map(Full::new))
        }
    });
    drop(http1::Builder::new().serve_connection(TokioIo::new(stream), service).await);
}
