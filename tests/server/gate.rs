//! A server with small answers of its own in the gateway's place.

use std::{
    net::SocketAddr,
    num::NonZero,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use callgate::{
    core::{
        Body, BodyError, Connection, OnUpgrade,
        plan::{Address, Listener, ListenerTls},
    },
    server::{Answer, Limits, Readiness, Server},
};
use callgate_testkit::peers::{Received, Wire};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode};
use http_body::{Body as HttpBody, Frame};
use http_body_util::StreamBody;
use tokio::sync::{Semaphore, mpsc};

/// Long enough for a loaded machine; nothing waits for it to pass.
pub(crate) const SOON: Duration = Duration::from_secs(20);

/// Answers by path, and tells the test what it saw.
#[derive(Clone)]
pub(crate) struct Answers {
    seen: mpsc::UnboundedSender<String>,
    /// Lets requests to `/wait` go on.
    pub(crate) gate: Arc<Semaphore>,
    waiting: Arc<AtomicUsize>,
    most: Arc<AtomicUsize>,
}

impl Answers {
    pub(crate) fn new() -> (Self, mpsc::UnboundedReceiver<String>) {
        let (seen, saw) = mpsc::unbounded_channel();
        let answers = Self { seen, gate: Arc::new(Semaphore::new(0)), waiting: Arc::default(), most: Arc::default() };
        (answers, saw)
    }

    /// How many requests to `/wait` there were at once.
    pub(crate) fn most_at_once(&self) -> usize {
        self.most.load(SeqCst)
    }

    fn tell(&self, what: String) {
        self.seen.send(what).ok();
    }

    async fn read(self, mut request: Request<Body>) -> Response<Body> {
        let line = format!("{} {}", request.method(), request.uri());
        match request.uri().path() {
            "/early" => {
                let mut response = Response::new(Body::from("too much"));
                *response.status_mut() = StatusCode::PAYLOAD_TOO_LARGE;
                return response;
            }
            "/wait" => {
                self.tell(format!("{line} waits"));
                let now = self.waiting.fetch_add(1, SeqCst) + 1;
                self.most.fetch_max(now, SeqCst);
                self.gate.acquire().await.unwrap().forget();
                self.waiting.fetch_sub(1, SeqCst);
            }
            "/never" => {
                let _dropped = Dropped(self.clone());
                self.tell(format!("{line} waits"));
                return std::future::pending().await;
            }
            "/panic" => panic!("as the test asks for"),
            "/upgrade" => {
                let upgrade = request.extensions_mut().remove::<OnUpgrade>().unwrap();
                tokio::runtime::Handle::current().spawn(async move {
                    let (mut read, mut write) = tokio::io::split(upgrade.upgraded().await.unwrap());
                    tokio::io::copy(&mut read, &mut write).await.ok();
                });
                let response = Response::builder().status(101).header("upgrade", "echo");
                return response.header("connection", "upgrade").body(Body::empty()).unwrap();
            }
            "/detached" => {
                tokio::runtime::Handle::current().spawn(async move {
                    let read = request.into_body().collect(1 << 24).await;
                    let read = read.map_or_else(|error| format!("broke: {error}"), |body| body.len().to_string());
                    self.tell(format!("{line} {read} in its own task"));
                });
                return Response::new(Body::from("accepted"));
            }
            "/status" => {
                let code = request.uri().query().unwrap_or_default();
                return Response::builder()
                    .status(code)
                    .header("content-length", "5")
                    .body(Body::from("hello"))
                    .unwrap();
            }
            "/stated" => {
                let stated = request.uri().query().unwrap_or_default().to_owned();
                let parts = Body::new(Parts { next: 0, breaks: false });
                return Response::builder().header("content-length", stated).body(parts).unwrap();
            }
            "/trailers" => {
                let frames = [Frame::data(Bytes::from_static(b"hi")), Frame::trailers(trailers())];
                let body = StreamBody::new(futures_util::stream::iter(frames.map(Ok::<_, BodyError>)));
                return Response::builder().header("trailer", "x-sum").body(Body::new(body)).unwrap();
            }
            "/parts" => return Response::new(Body::new(Parts { next: 0, breaks: request.uri().query().is_some() })),
            "/large" => return Response::new(Body::new(Large { left: LARGE, seen: self.seen })),
            _ => {}
        }
        match request.into_body().collect(1 << 24).await {
            Ok(body) => {
                self.tell(format!("{line} {}", body.len()));
                Response::new(Body::from(format!("{line} {}", body.len())))
            }
            Err(error) => {
                self.tell(format!("{line} broke: {error}"));
                let mut response = Response::new(Body::empty());
                *response.status_mut() = StatusCode::BAD_REQUEST;
                response
            }
        }
    }
}

impl Answer for Answers {
    fn answer(
        &self,
        request: Request<Body>,
        _: &Arc<Connection>,
    ) -> impl Future<Output = Response<Body>> + Send + 'static {
        self.clone().read(request)
    }
}

/// Tells that a request was abandoned.
struct Dropped(Answers);

impl Drop for Dropped {
    fn drop(&mut self) {
        self.0.tell("abandoned".to_owned());
    }
}

fn trailers() -> HeaderMap {
    HeaderMap::from_iter([
        (HeaderName::from_static("x-sum"), HeaderValue::from_static("7")),
        (HeaderName::from_static("x-other"), HeaderValue::from_static("8")),
    ])
}

/// A body that is made as it is taken, and tells whether it was taken to its end.
struct Large {
    left: usize,
    seen: mpsc::UnboundedSender<String>,
}

/// A body of unknown length in two parts, and an error after them if it `breaks`.
struct Parts {
    next: usize,
    breaks: bool,
}

impl HttpBody for Parts {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, std::io::Error>>> {
        self.next += 1;
        Poll::Ready(match self.next {
            1 => Some(Ok(Frame::data(Bytes::from_static(b"first,")))),
            2 => Some(Ok(Frame::data(Bytes::from_static(b"second")))),
            3 if self.breaks => Some(Err(std::io::ErrorKind::UnexpectedEof.into())),
            _ => None,
        })
    }
}

/// The length of the body of `/large`.
pub(crate) const LARGE: usize = 24 * 1024 * 1024;

impl HttpBody for Large {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        static CHUNK: [u8; 65_536] = [b'x'; 65_536];
        self.left = self.left.saturating_sub(CHUNK.len());
        let more = self.left > 0;
        Poll::Ready(more.then(|| Ok(Frame::data(Bytes::from_static(&CHUNK)))))
    }
}

impl Drop for Large {
    fn drop(&mut self) {
        let end = if self.left == 0 { "sent" } else { "cut" };
        self.seen.send(format!("the large body was {end}")).ok();
    }
}

/// A running server.
pub(crate) struct Gate {
    pub(crate) server: Server,
    pub(crate) answers: Answers,
    pub(crate) saw: mpsc::UnboundedReceiver<String>,
    pub(crate) readiness: Readiness,
    pub(crate) address: SocketAddr,
}

impl Gate {
    pub(crate) fn start() -> Self {
        Self::with(&Limits::default(), None)
    }

    pub(crate) fn with(limits: &Limits, tls: Option<ListenerTls>) -> Self {
        let (answers, saw) = Answers::new();
        let readiness = Readiness::starting();
        let listener = Listener { tls, ..listener("public", Address::Tcp("127.0.0.1:0".parse().unwrap())) };
        let server = Server::start(&[listener], NonZero::new(2), limits, &readiness, &answers).unwrap();
        let Address::Tcp(address) = server.addresses()[0].address else { unreachable!() };
        Self { server, answers, saw, readiness, address }
    }

    /// Sends the bytes on a connection of their own and reads until the server closes it.
    pub(crate) async fn send(&self, bytes: impl AsRef<[u8]>) -> Received {
        let mut wire = self.connect().await;
        // An error is the server closing already, which what is read then shows.
        wire.send(bytes).await.ok();
        wire.read_to_end(SOON).await
    }

    pub(crate) async fn connect(&self) -> Wire {
        Wire::connect(self.address).await.unwrap()
    }

    /// The next thing that the answers saw.
    pub(crate) async fn next(&mut self) -> String {
        tokio::time::timeout(SOON, self.saw.recv()).await.expect("something is seen in time").unwrap()
    }
}

pub(crate) fn listener(name: &str, address: Address) -> Listener {
    Listener { name: name.into(), address, tls: None, trusted_proxies: Arc::from([]), proxy_protocol: false }
}
