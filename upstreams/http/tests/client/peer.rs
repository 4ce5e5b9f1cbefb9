//! Servers for the tests: raw ones that follow a script, and the client's surroundings.

use std::{
    future::Future,
    io::{BufRead, BufReader, Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use callgate_core::{Body, Context};
use callgate_http::{Endpoint, HttpClient, HttpError, HttpSettings};
use http::{Request, Response};
use tokio::{runtime::Handle, time::timeout};

/// Long enough for a loaded machine; a test that waits this long has failed.
pub(crate) const LONG: Duration = Duration::from_secs(20);

/// A server that speaks raw bytes, one thread per connection.
pub(crate) struct Raw {
    pub(crate) endpoint: Endpoint,
    accepted: Arc<AtomicUsize>,
}

impl Raw {
    /// Starts a server that runs `script` with the number of the connection, from 0, and the connection.
    pub(crate) fn start(script: impl Fn(usize, Peer) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = Endpoint::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
        let accepted = Arc::new(AtomicUsize::new(0));
        let (counter, script) = (accepted.clone(), Arc::new(script));
        thread::spawn(move || {
            for stream in listener.incoming() {
                let number = counter.fetch_add(1, Ordering::SeqCst);
                let (script, stream) = (script.clone(), stream.unwrap());
                stream.set_read_timeout(Some(LONG)).unwrap();
                stream.set_write_timeout(Some(LONG)).unwrap();
                thread::spawn(move || script(number, Peer(BufReader::new(stream))));
            }
        });
        Self { endpoint, accepted }
    }

    /// A server that gives every request the same reply.
    pub(crate) fn replying(reply: impl Into<Vec<u8>>) -> Self {
        let reply = reply.into();
        Self::start(move |_, mut peer| {
            while peer.head().is_some() {
                peer.send(&reply);
            }
        })
    }

    /// A server that gives every request the same reply and closes the connection.
    pub(crate) fn replying_once(reply: impl Into<Vec<u8>>) -> Self {
        let reply = reply.into();
        Self::start(move |_, mut peer| {
            peer.head();
            peer.send(&reply);
        })
    }

    pub(crate) fn accepted(&self) -> usize {
        self.accepted.load(Ordering::SeqCst)
    }
}

/// A connection as a raw server sees it.
pub(crate) struct Peer(BufReader<TcpStream>);

impl Peer {
    /// The head of the next request; `None` when the client has closed the connection.
    pub(crate) fn head(&mut self) -> Option<String> {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            if self.0.read_until(b'\n', &mut head).unwrap_or(0) == 0 {
                return None;
            }
        }
        Some(String::from_utf8_lossy(&head).into_owned())
    }

    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        self.0.get_mut().write_all(bytes.as_ref()).is_ok()
    }

    pub(crate) fn read(&mut self, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        self.0.read_exact(&mut bytes).unwrap();
        bytes
    }

    pub(crate) fn read_to_end(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.0.read_to_end(&mut bytes).unwrap();
        bytes
    }

    /// Whether the client closes the connection, before any other byte.
    pub(crate) fn is_closed_by_client(&mut self) -> bool {
        let mut byte = [0];
        !matches!(self.0.read(&mut byte), Ok(1..))
    }

    /// Passes bytes between the client and another server until either is done.
    pub(crate) fn join(self, server: TcpStream) {
        let client = self.0.into_inner();
        let (mut from, mut to) = (client.try_clone().unwrap(), server.try_clone().unwrap());
        thread::spawn(move || {
            std::io::copy(&mut from, &mut to).ok();
            to.shutdown(Shutdown::Write).ok();
        });
        let (mut from, mut to) = (server, client);
        std::io::copy(&mut from, &mut to).ok();
        to.shutdown(Shutdown::Write).ok();
    }

    pub(crate) fn shutdown_write(&mut self) {
        self.0.get_mut().shutdown(Shutdown::Write).unwrap();
    }
}

pub(crate) fn context() -> Context {
    Context::new("test", Path::new("."), Handle::current())
}

pub(crate) fn client() -> HttpClient {
    HttpClient::new(HttpSettings::default(), &context()).unwrap()
}

pub(crate) fn get(path: &str) -> Request<Body> {
    Request::get(path).body(Body::empty()).unwrap()
}

pub(crate) async fn soon<F: Future>(future: F) -> F::Output {
    timeout(LONG, future).await.expect("it takes too long")
}

/// Sends a request and reads its reply whole.
pub(crate) async fn fetch(
    client: &HttpClient,
    endpoint: &Endpoint,
    request: Request<Body>,
) -> Result<Response<String>, HttpError> {
    let (head, body) = soon(client.send(endpoint, request)).await?.into_parts();
    let body = soon(body.collect(1 << 30)).await.unwrap();
    Ok(Response::from_parts(head, String::from_utf8_lossy(&body).into_owned()))
}
