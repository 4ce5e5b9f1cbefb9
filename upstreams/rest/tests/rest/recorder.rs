//! A server that keeps what it receives, to the byte.

use std::sync::{Mutex, mpsc};

use crate::stage::Raw;

/// What the server answers.
#[derive(Debug, Clone)]
pub(crate) struct Reply {
    status: String,
    content_type: String,
    body: String,
}

impl Reply {
    pub(crate) fn ok(body: &str) -> Self {
        Self::of("200 OK", "application/json", body)
    }

    pub(crate) fn of(status: &str, content_type: &str, body: &str) -> Self {
        Self { status: status.to_owned(), content_type: content_type.to_owned(), body: body.to_owned() }
    }
}

/// A server that answers always the same, and tells what came.
pub(crate) struct Recorder {
    pub(crate) url: String,
    _server: Raw,
    received: Mutex<mpsc::Receiver<Received>>,
}

/// A request as it came.
#[derive(Debug)]
pub(crate) struct Received {
    pub(crate) line: String,
    headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Received {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

impl Recorder {
    pub(crate) fn start(reply: Reply) -> Self {
        Self::serving(move |_| reply.clone())
    }

    /// Answers by the request's first line.
    pub(crate) fn serving(reply: impl Fn(&str) -> Reply + Send + Sync + 'static) -> Self {
        let (sender, received) = mpsc::channel();
        let server = Raw::start(move |mut peer| {
            while let Some(head) = peer.head() {
                let mut lines = head.lines();
                let line = lines.next().unwrap().to_owned();
                let headers: Vec<_> = lines
                    .filter_map(|line| line.split_once(": "))
                    .map(|(name, value)| (name.to_owned(), value.to_owned()))
                    .collect();
                let length = headers.iter().find(|(name, _)| name == "content-length");
                let body = peer.bytes(length.map_or(0, |(_, value)| value.parse().unwrap()));
                let Reply { status, content_type, body: answer } = reply(&line);
                // Nobody may wait for what a test does not ask for.
                sender.send(Received { line, headers, body: String::from_utf8_lossy(&body).into_owned() }).ok();
                let length = answer.len();
                peer.send(format!(
                    "HTTP/1.1 {status}\r\ncontent-type: {content_type}\r\ncontent-length: {length}\r\n\r\n{answer}"
                ));
            }
        });
        Self { url: server.url.clone(), _server: server, received: Mutex::new(received) }
    }

    /// The oldest request that was not asked for yet.
    pub(crate) fn next(&self) -> Received {
        self.received.lock().unwrap().recv_timeout(crate::stage::LONG).expect("a request came")
    }
}
