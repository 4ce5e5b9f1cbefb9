//! TLS and HTTP/2.

use std::{
    convert::Infallible,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use bytes::Bytes;
use callgate_core::{Body, BodyError, UpstreamError};
use callgate_http::{Endpoint, HttpClient, HttpError, HttpSettings, TlsSettings};
use http::{HeaderMap, HeaderValue, Request, Response};
use http_body_util::{BodyExt, StreamBody};
use hyper::{
    body::{Frame, Incoming},
    rt::Executor,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::{RootCertStore, ServerConfig, server::WebPkiClientVerifier};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::Barrier,
    task::JoinSet,
    time::Instant,
};
use tokio_rustls::TlsAcceptor;

use crate::peer::{Raw, client, context, fetch, get, soon};

/// Certificates of an authority of the test's own, as files.
pub(crate) struct Authority {
    folder: tempfile::TempDir,
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("ca.pem"), issuer.pem()).unwrap();
        Self { folder, issuer }
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes `NAME.pem` and `NAME.key`.
    fn issue(&self, name: &str) -> (rustls::pki_types::CertificateDer<'static>, KeyPair) {
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(vec![name.to_owned()]).unwrap().signed_by(&key, &self.issuer).unwrap();
        std::fs::write(self.file(&format!("{name}.pem")), certificate.pem()).unwrap();
        std::fs::write(self.file(&format!("{name}.key")), key.serialize_pem()).unwrap();
        (certificate.der().clone(), key)
    }

    pub(crate) fn server(&self, name: &str, protocols: &[&str], ask_client: bool) -> TlsAcceptor {
        self.server_of(rustls::ALL_VERSIONS, name, protocols, ask_client)
    }

    fn server_of(
        &self,
        versions: &[&'static rustls::SupportedProtocolVersion],
        name: &str,
        protocols: &[&str],
        ask_client: bool,
    ) -> TlsAcceptor {
        let (certificate, key) = self.issue(name);
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ServerConfig::builder_with_provider(provider.clone()).with_protocol_versions(versions).unwrap();
        let builder = if ask_client {
            let mut roots = RootCertStore::empty();
            roots.add(self.issuer.der().clone()).unwrap();
            builder.with_client_cert_verifier(
                WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build().unwrap(),
            )
        } else {
            builder.with_no_client_auth()
        };
        let key = rustls::pki_types::PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let mut config = builder.with_single_cert(vec![certificate], key).unwrap();
        config.alpn_protocols = protocols.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
        Arc::new(config).into()
    }

    fn client(&self, tls: TlsSettings, http2: Option<bool>) -> Result<HttpClient, callgate_http::SetupError> {
        let tls = TlsSettings { ca: Some(self.file("ca.pem")), ..tls };
        HttpClient::new(HttpSettings { tls: Some(tls), http2, ..HttpSettings::default() }, &context())
    }
}

#[derive(Clone)]
struct Local;

impl<F: Future<Output = ()> + Send + 'static> Executor<F> for Local {
    fn execute(&self, future: F) {
        drop(tokio::runtime::Handle::current().spawn(future));
    }
}

pub(crate) struct Server {
    pub(crate) endpoint: Endpoint,
    accepted: Arc<AtomicUsize>,
}

/// What a server does with a connection before it serves.
#[derive(Clone)]
enum Opening {
    Usual,
    /// All but the first are held until so many of them are there.
    Together(Arc<Barrier>),
    /// The first is closed in the same breath in which its handshake ends.
    ClosingTheFirst,
}

impl Opening {
    /// Whether the connection is to be served.
    async fn of(&self, number: usize, stream: &mut TcpStream, tls: Option<&TlsAcceptor>) -> bool {
        match (self, tls) {
            (Self::Together(all), _) if number > 0 => {
                all.wait().await;
            }
            (Self::ClosingTheFirst, Some(tls)) if number == 0 => {
                greet_and_close(stream, tls.config().clone()).await;
                return false;
            }
            _ => {}
        }
        true
    }
}

/// Says goodbye in the very packet that ends the handshake, so that the client finds the connection closed when it
/// begins to use it. In TLS 1.2 it is the server who ends the handshake.
async fn greet_and_close(stream: &mut TcpStream, config: Arc<ServerConfig>) {
    let mut tls = rustls::ServerConnection::new(config).unwrap();
    while tls.is_handshaking() {
        let mut answer = Vec::new();
        while tls.wants_write() {
            tls.write_tls(&mut answer).unwrap();
        }
        stream.write_all(&answer).await.unwrap();
        let mut said = vec![0; 16 << 10];
        let count = stream.read(&mut said).await.unwrap();
        assert!(count > 0, "the client left");
        let mut said = &said[..count];
        while !said.is_empty() {
            tls.read_tls(&mut said).unwrap();
            tls.process_new_packets().unwrap();
        }
    }
    tls.send_close_notify();
    let mut last = Vec::new();
    while tls.wants_write() {
        tls.write_tls(&mut last).unwrap();
    }
    stream.write_all(&last).await.unwrap();
    // Closing with something unread would reset the connection.
    while stream.read(&mut [0; 1024]).await.is_ok_and(|count| count > 0) {}
}

pub(crate) fn serve(tls: Option<TlsAcceptor>, http2: bool) -> Server {
    serve_opening(tls, http2, Opening::Usual)
}

/// A server that echoes the body, with the protocol and a trailer; `/last` ends its connection.
fn serve_opening(tls: Option<TlsAcceptor>, http2: bool, opening: Opening) -> Server {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let scheme = if tls.is_some() { "https" } else { "http" };
    let url = format!("{scheme}://localhost:{}", listener.local_addr().unwrap().port());
    let accepted = Arc::new(AtomicUsize::new(0));
    let counter = accepted.clone();
    thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async move {
            let listener = TcpListener::from_std(listener).unwrap();
            let mut connections = JoinSet::new();
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let number = counter.fetch_add(1, Ordering::SeqCst);
                let (tls, opening) = (tls.clone(), opening.clone());
                connections.spawn(async move {
                    if !opening.of(number, &mut stream, tls.as_ref()).await {
                        return;
                    }
                    match tls {
                        None => speak(stream, http2).await,
                        Some(tls) => {
                            if let Ok(stream) = tls.accept(stream).await {
                                let http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
                                speak(stream, http2).await;
                            }
                        }
                    }
                });
            }
        });
    });
    Server { endpoint: Endpoint::parse(&url).unwrap(), accepted }
}

async fn speak<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(stream: S, http2: bool) {
    let last = Arc::new(tokio::sync::Notify::new());
    let end = last.clone();
    let service = service_fn(move |request: Request<Incoming>| {
        let last = last.clone();
        async move {
            if request.uri().path() == "/last" {
                last.notify_one();
            }
            let builder = Response::builder()
                .header("x-version", format!("{:?}", request.version()))
                .header("x-authority", request.uri().authority().map_or("none", |authority| authority.as_str()));
            let trailers = HeaderMap::from_iter([("x-sum".parse().unwrap(), HeaderValue::from_static("1"))]);
            let body = request.into_body().with_trailers(std::future::ready(Some(Ok(trailers))));
            Ok::<_, Infallible>(builder.body(body).unwrap())
        }
    });
    let io = TokioIo::new(stream);
    if http2 {
        let mut connection =
            std::pin::pin!(hyper::server::conn::http2::Builder::new(Local).serve_connection(io, service));
        tokio::select! {
            _ = connection.as_mut() => return,
            () = end.notified() => connection.as_mut().graceful_shutdown(),
        }
        let _ = connection.await;
    } else {
        let _ = hyper::server::conn::http1::Builder::new().serve_connection(io, service).await;
    }
}

fn post(path: &str) -> Request<Body> {
    Request::post(path).body(Body::from("hello")).unwrap()
}

#[tokio::test]
async fn the_protocol_is_chosen_in_the_handshake() {
    for (offered, wanted, version) in [
        (["h2", "http/1.1"].as_slice(), None, "HTTP/2.0"),
        (&["h2", "http/1.1"], Some(false), "HTTP/1.1"),
        (&["h2", "http/1.1"], Some(true), "HTTP/2.0"),
        (&["http/1.1"], None, "HTTP/1.1"),
        (&[], None, "HTTP/1.1"),
    ] {
        let authority = Authority::new();
        let server = serve(Some(authority.server("localhost", offered, false)), false);
        let client = authority.client(TlsSettings::default(), wanted).unwrap();
        for _ in 0..3 {
            let reply = fetch(&client, &server.endpoint, post("/")).await.unwrap();
            assert_eq!((reply.body().as_str(), reply.headers()["x-version"].to_str().unwrap()), ("hello", version));
        }
        assert_eq!(server.accepted.load(Ordering::SeqCst), 1, "{offered:?} {wanted:?}");
    }
}

#[tokio::test]
async fn a_certificate_has_to_be_trusted_and_for_the_name() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let server = serve(Some(authority.server("other.example", &[], false)), false);
    let wrong_name = authority.client(TlsSettings::default(), None).unwrap();
    let error = fetch(&wrong_name, &server.endpoint, get("/")).await.unwrap_err();
    assert!(matches!(error, HttpError::Tls { .. }), "{error:?}");

    let named = TlsSettings { server_name: Some("other.example".into()), ..TlsSettings::default() };
    let client = authority.client(named.clone(), None).unwrap();
    assert_eq!(fetch(&client, &server.endpoint, post("/")).await.unwrap().body(), "hello");

    let distrusting = stranger.client(named, None).unwrap();
    let error = fetch(&distrusting, &server.endpoint, get("/")).await.unwrap_err();
    assert!(matches!(error, HttpError::Tls { .. }) && error.is_before_sent(), "{error:?}");
}

#[tokio::test]
async fn a_client_certificate_is_shown_to_those_who_ask() {
    let authority = Authority::new();
    authority.issue("gateway");
    let server = serve(Some(authority.server("localhost", &[], true)), false);
    let shown = TlsSettings {
        certificate: Some(authority.file("gateway.pem")),
        private_key: Some(authority.file("gateway.key")),
        ..TlsSettings::default()
    };
    let client = authority.client(shown, None).unwrap();
    assert_eq!(fetch(&client, &server.endpoint, post("/")).await.unwrap().body(), "hello");
    let without = authority.client(TlsSettings::default(), None).unwrap();
    assert!(fetch(&without, &server.endpoint, get("/")).await.is_err());
}

#[tokio::test]
async fn files_that_hold_no_certificate_are_named() {
    let authority = Authority::new();
    std::fs::write(authority.file("empty.pem"), "nothing\n").unwrap();
    for file in ["absent.pem", "empty.pem"] {
        let tls = TlsSettings { ca: Some(authority.file(file)), ..TlsSettings::default() };
        let error =
            HttpClient::new(HttpSettings { tls: Some(tls), ..HttpSettings::default() }, &context()).unwrap_err();
        assert!(error.to_string().contains(file), "{error}");
    }
}

#[tokio::test]
async fn http2_by_prior_knowledge_shares_one_connection() {
    let server = serve(None, true);
    let client = HttpClient::new(HttpSettings { http2: Some(true), ..HttpSettings::default() }, &context()).unwrap();
    // The first requests, all at once, don't open one each.
    futures_util::future::join_all((0..20).map(|_| fetch(&client, &server.endpoint, post("/")))).await;
    let reply = client.send(&server.endpoint, post("/")).await.unwrap();
    assert_eq!(reply.headers()["x-authority"], server.endpoint.authority().as_str());
    let collected = BodyExt::collect(reply.into_body()).await.unwrap();
    assert_eq!(collected.trailers().unwrap()["x-sum"], "1");
    assert_eq!(collected.to_bytes(), "hello");
    futures_util::future::join_all((0..100).map(|_| async {
        assert_eq!(fetch(&client, &server.endpoint, post("/")).await.unwrap().body(), "hello");
    }))
    .await;
    assert_eq!(server.accepted.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn http2_connects_again_after_the_server_says_goodbye() {
    let server = serve(None, true);
    let client = HttpClient::new(HttpSettings { http2: Some(true), ..HttpSettings::default() }, &context()).unwrap();
    for path in ["/last", "/", "/last", "/"] {
        assert_eq!(fetch(&client, &server.endpoint, post(path)).await.unwrap().body(), "hello");
    }
    assert!(server.accepted.load(Ordering::SeqCst) >= 2);
}

/// Time is the runtime's: it goes on when all wait.
#[tokio::test(start_paused = true)]
async fn requests_that_wait_for_a_peer_that_is_down_fail_together() {
    // Takes connections, and never says a word.
    let dead = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = Endpoint::parse(&format!("https://{}", dead.local_addr().unwrap())).unwrap();
    let connect_timeout = Duration::from_secs(5);
    for http2 in [None, Some(true)] {
        let client = Authority::new().client(TlsSettings::default(), http2).unwrap();
        for _ in 0..2 {
            let start = Instant::now();
            let calls = (0..20).map(|_| client.try_send(&endpoint, get("/")));
            for outcome in futures_util::future::join_all(calls).await {
                let failure = outcome.unwrap_err();
                assert!(matches!(failure.error, HttpError::ConnectTimeout { .. }), "{:?}", failure.error);
                assert!(failure.unsent.is_some());
            }
            let taken = start.elapsed();
            assert!(taken >= connect_timeout && taken < connect_timeout * 3 / 2, "{taken:?}");
        }
    }
}

#[tokio::test]
async fn requests_that_waited_to_learn_the_protocol_connect_all_at_once() {
    const WAITING: usize = 8;
    let authority = Authority::new();
    let opening = Opening::Together(Arc::new(Barrier::new(WAITING)));
    let server = serve_opening(Some(authority.server("localhost", &["http/1.1"], false)), false, opening);
    let client = authority.client(TlsSettings::default(), None).unwrap();
    let calls = (0..=WAITING).map(|_| async {
        // The body is kept open, so that no connection is used twice.
        soon(client.send(&server.endpoint, post("/"))).await.unwrap()
    });
    let replies = futures_util::future::join_all(calls).await;
    assert_eq!(server.accepted.load(Ordering::SeqCst), replies.len());
}

#[tokio::test]
async fn a_request_that_a_new_connection_did_not_take_is_sent_on_another() {
    for protocol in ["http/1.1", "h2"] {
        let authority = Authority::new();
        let tls = authority.server_of(&[&rustls::version::TLS12], "localhost", &[protocol], false);
        let server = serve_opening(Some(tls), false, Opening::ClosingTheFirst);
        let client = authority.client(TlsSettings::default(), None).unwrap();
        for _ in 0..2 {
            assert_eq!(fetch(&client, &server.endpoint, post("/")).await.unwrap().body(), "hello", "{protocol}");
        }
        assert_eq!(server.accepted.load(Ordering::SeqCst), 2, "{protocol}");
    }
}

#[tokio::test]
async fn the_reason_of_a_broken_request_is_found_over_http2_too() {
    let server = serve(None, true);
    let client = HttpClient::new(HttpSettings { http2: Some(true), ..HttpSettings::default() }, &context()).unwrap();
    let frames = [Ok(Frame::data(Bytes::from_static(b"half"))), Err(BodyError::TooLarge { limit: 4 })];
    let body = Body::new(StreamBody::new(futures_util::stream::iter(frames)));
    let request = Request::post("/broken").body(body).unwrap();
    let error = UpstreamError::from(soon(client.send(&server.endpoint, request)).await.unwrap_err());
    assert!(matches!(error.body_error(), Some(BodyError::TooLarge { limit: 4 })), "{error:?}");
}

#[tokio::test]
async fn a_server_that_does_not_speak_http2_is_told_apart() {
    let server = Raw::replying("HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
    let client_of_http2 =
        HttpClient::new(HttpSettings { http2: Some(true), ..HttpSettings::default() }, &context()).unwrap();
    assert!(fetch(&client_of_http2, &server.endpoint, get("/")).await.is_err());
    // A client of HTTP/1.1 gets its reply.
    assert_eq!(fetch(&client(), &server.endpoint, get("/")).await.unwrap().status().as_u16(), 400);
}

/// The last bytes of a request may lie in TLS's own buffer when the socket takes no more of them. How many it takes is the
/// system's matter: one of the lengths ends there.
#[tokio::test]
async fn a_large_request_arrives_whole_though_the_socket_was_full_at_its_end() {
    let authority = Authority::new();
    let acceptor = authority.server("localhost", &["http/1.1"], false);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = Endpoint::parse(&format!("https://localhost:{}", listener.local_addr().unwrap().port())).unwrap();
    let client = authority.client(TlsSettings::default(), Some(false)).unwrap();
    for length in (1 << 20..5 << 20).step_by(48 << 10) {
        let may_read = tokio::sync::Notify::new();
        let asks = async {
            let request =
                Request::post("/").header("connection", "close").body(Body::from(vec![b'x'; length])).unwrap();
            let mut call = std::pin::pin!(client.send(&endpoint, request));
            let early = tokio::time::timeout(Duration::from_millis(15), &mut call).await;
            assert!(early.is_err(), "the server has not read it yet");
            may_read.notify_one();
            assert_eq!(soon(call).await.unwrap().status(), 200, "{length}");
        };
        let answers = async {
            let mut stream = acceptor.accept(listener.accept().await.unwrap().0).await.unwrap();
            may_read.notified().await;
            let (mut space, mut head, mut read) = (vec![0; 64 << 10], None, 0);
            while head.is_none_or(|head| read < head + length) {
                let count = stream.read(&mut space).await.unwrap();
                assert!(count > 0, "{length}");
                head = head.or_else(|| space[..count].windows(4).position(|end| end == b"\r\n\r\n").map(|at| at + 4));
                read += count;
            }
            let reply = b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
            stream.write_all(reply).await.unwrap();
            stream.flush().await.unwrap();
        };
        tokio::join!(asks, answers);
    }
}
