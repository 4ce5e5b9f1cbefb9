//! The client: one per upstream, shared by all workers.

use std::{
    fmt,
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use callgate_core::{Body, Context};
use futures_util::TryFutureExt as _;
use http::{Method, Request, Response, StatusCode, Uri, Version, header, response};
use tokio::{runtime::Handle, sync::OnceCell};

use crate::{
    connect::{Way, connect, reach},
    endpoint::Endpoint,
    error::HttpError,
    framing,
    h1::{self, Broken, Connection, Link},
    h2::{self, Sender},
    pool::{self, Home, Key, Shared},
    proxy::Proxy,
    settings::{HttpSettings, TlsSettings},
    tls::{SetupError, Tls},
    upgrade::{self, Upgrade},
};

static NEXT: AtomicU64 = AtomicU64::new(0);

/// An HTTP client with pooled connections, for HTTP/1.1 and HTTP/2.
///
/// Connections belong to the thread that opened them, so that a request never leaves its worker. When the client is
/// dropped, or its upstream ends, unused connections are closed soon and used ones after their exchange.
///
/// Runs on any tokio runtime with I/O and time; the worker model wants one current-thread runtime per worker.
#[derive(Clone)]
pub struct HttpClient(Arc<Inner>);

struct Inner {
    shared: Arc<Shared>,
    tls: OnceCell<Arc<Tls>>,
    http2: Option<bool>,
    proxy: Option<Proxy>,
    connect_timeout: Duration,
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.shared.close();
    }
}

/// A request without a reply.
#[derive(Debug)]
pub struct Failure {
    /// What went wrong.
    pub error: HttpError,
    /// The request, if nothing of it was sent.
    pub unsent: Option<Box<Request<Body>>>,
}

impl From<HttpError> for Failure {
    fn from(error: HttpError) -> Self {
        Self { error, unsent: None }
    }
}

enum Opened {
    Http1(Box<Connection>),
    Http2(Sender),
}

/// What was found out of a request before it is sent.
struct Prepared {
    names_host: bool,
    /// Its target, where it was made another one for a proxy on the way.
    origin_form: Option<Box<Uri>>,
    upgrade: Option<Upgrade>,
    key: Key,
}

impl HttpClient {
    /// A client for an upstream, whose context runs the client's tasks. Nothing is connected yet.
    ///
    /// # Errors
    /// Certificates or keys of the settings that can't be read, or a proxy that can't be used.
    pub fn new(settings: HttpSettings, context: &Context) -> Result<Self, SetupError> {
        let id = NEXT.fetch_add(1, Ordering::Relaxed);
        let shared = Shared::new(id, context.clone(), settings.idle_timeout(), settings.max_idle());
        let (http2, connect_timeout) = (settings.http2, settings.connect_timeout());
        let proxy = settings.proxy.as_ref().map(Proxy::new).transpose()?;
        let tls = match settings.tls {
            Some(tls) => OnceCell::new_with(Some(Arc::new(Tls::build(&tls, http2, context)?))),
            None => OnceCell::new(),
        };
        Ok(Self(Arc::new(Inner { shared: Arc::new(shared), tls, http2, proxy, connect_timeout })))
    }

    /// Sends a request and answers with its reply, whose body streams.
    ///
    /// The request's URI is in origin form. `host` is the endpoint's unless the request has one; the length headers are
    /// made to fit the body. All else is sent as it is: hop-by-hop headers are the caller's business. A request that
    /// asks for an upgrade, and has the [`OnUpgrade`](callgate_core::OnUpgrade) of the client's connection in its extensions, is joined with the
    /// upstream's connection when the reply is 101.
    ///
    /// A request that a pooled connection was closed upon, before any byte of a reply, is sent once more on a new one:
    /// if nothing of it can have been seen, or if its method is idempotent and its body, if any, is in memory. So is one
    /// of which nothing was sent on a new connection.
    ///
    /// # Errors
    /// No connection, a broken one, or a reply that is no HTTP.
    pub fn send(
        &self,
        endpoint: &Endpoint,
        request: Request<Body>,
    ) -> impl Future<Output = Result<Response<Body>, HttpError>> + Send {
        self.try_send(endpoint, request).map_err(|failure| failure.error)
    }

    /// [`Self::send`], which gives the request back when nothing of it was sent.
    ///
    /// # Errors
    /// As [`Self::send`]'s, with the request, fit for another endpoint.
    // No `async fn`: its future would hold the request twice, and be moved about with both.
    pub fn try_send(
        &self,
        endpoint: &Endpoint,
        mut request: Request<Body>,
    ) -> impl Future<Output = Result<Response<Body>, Failure>> + Send {
        let prepared = self.prepare(endpoint, &mut request);
        async move {
            let Prepared { names_host, origin_form, mut upgrade, key } = prepared?;
            if upgrade.is_none()
                && self.may_speak_http2(endpoint)
                && let Some(mut sender) = pool::http2(&key)
            {
                match Box::pin(h2::send(endpoint, &mut sender, request)).await {
                    Ok(reply) => return Ok(reply),
                    Err(h2::Lost { unsent: Some(unsent), .. }) => {
                        // The peer takes no more requests on it.
                        pool::forget_http2(&key, &sender);
                        request = unsent;
                    }
                    Err(lost) => return Err(lost.error.into()),
                }
            } else if let Some(mut connection) = pool::take(&key) {
                let may_repeat = is_idempotent(request.method());
                match connection.link.exchange(&mut request, upgrade.is_some()).await {
                    Ok(head) => return self.receive(endpoint, connection, head, &mut upgrade),
                    Err(lost) => {
                        if let Err(error) = failed(endpoint, lost, may_repeat) {
                            return Err(error.into());
                        }
                    }
                }
            }
            Box::pin(self.send_anew(endpoint, key, request, &mut upgrade)).await.map_err(|mut failure| {
                if let Some(request) = &mut failure.unsent {
                    if !names_host {
                        request.headers_mut().remove(header::HOST);
                    }
                    if let Some(uri) = origin_form {
                        *request.uri_mut() = *uri;
                        request.headers_mut().remove(header::PROXY_AUTHORIZATION);
                    }
                    if let Some(upgrade) = upgrade {
                        upgrade.put_back(request);
                    }
                }
                failure
            })
        }
    }

    fn prepare(&self, endpoint: &Endpoint, request: &mut Request<Body>) -> Result<Prepared, HttpError> {
        let names_host = framing::prepare(endpoint, request)?;
        let origin_form = self.address_proxy(endpoint, request).map(Box::new);
        Ok(Prepared { names_host, origin_form, upgrade: upgrade::take(request), key: self.key(endpoint) })
    }

    /// Sends a request on a new connection. One that the peer closes before anything was sent on it gets a successor.
    async fn send_anew(
        &self,
        endpoint: &Endpoint,
        key: Key,
        mut request: Request<Body>,
        upgrade: &mut Option<Upgrade>,
    ) -> Result<Response<Body>, Failure> {
        let mut is_last = false;
        loop {
            let (error, unsent) = match self.open_in_turn(endpoint, key, upgrade.is_some()).await {
                Ok(Opened::Http1(mut connection)) => {
                    if !connection.link.is_open() {
                        (HttpError::broken(endpoint.authority(), Broken::Closed, true), Some(request))
                    } else {
                        match connection.link.exchange(&mut request, upgrade.is_some()).await {
                            Ok(head) => return self.receive(endpoint, connection, head, upgrade),
                            Err(lost) => match failed(endpoint, lost, false) {
                                Ok(error) => (error, Some(request)),
                                Err(error) => (error, None),
                            },
                        }
                    }
                }
                Ok(Opened::Http2(mut sender)) => match h2::send(endpoint, &mut sender, request).await {
                    Ok(reply) => return Ok(reply),
                    Err(lost) => {
                        if lost.unsent.is_some() {
                            pool::forget_http2(&key, &sender);
                        }
                        (lost.error, lost.unsent)
                    }
                },
                Err(error) => return Err(Failure { error, unsent: Some(Box::new(request)) }),
            };
            match unsent {
                Some(unsent) if !is_last => request = unsent,
                unsent => return Err(Failure { error, unsent: unsent.map(Box::new) }),
            }
            is_last = true;
        }
    }

    /// Whether the endpoint takes a TCP connection now.
    ///
    /// # Errors
    /// Why it doesn't.
    pub async fn probe(&self, endpoint: &Endpoint) -> Result<(), HttpError> {
        let limit = self.0.connect_timeout;
        match tokio::time::timeout(limit, reach(endpoint, self.way(endpoint), limit)).await {
            Ok(connected) => connected.map(drop),
            Err(_) => Err(HttpError::ConnectTimeout { host: endpoint.authority().to_string() }),
        }
    }

    fn key(&self, endpoint: &Endpoint) -> Key {
        Key { client: self.0.shared.id, endpoint: endpoint.id, runtime: Handle::current().id() }
    }

    fn way(&self, endpoint: &Endpoint) -> Way<'_> {
        match &self.0.proxy {
            None => Way::Direct,
            // HTTP/2 without TLS is for the service alone.
            Some(proxy) if endpoint.is_tls() || self.0.http2 == Some(true) => Way::Tunnel(proxy),
            Some(proxy) => Way::Proxied(proxy),
        }
    }

    /// Puts a request into the form that a proxy on the way reads, and gives its URI back.
    fn address_proxy(&self, endpoint: &Endpoint, request: &mut Request<Body>) -> Option<Uri> {
        let Way::Proxied(proxy) = self.way(endpoint) else {
            return None;
        };
        let absolute = Proxy::absolute(endpoint, request.uri())?;
        if let Some(login) = &proxy.authorization {
            request.headers_mut().insert(header::PROXY_AUTHORIZATION, login.clone());
        }
        Some(std::mem::replace(request.uri_mut(), absolute))
    }

    fn may_speak_http2(&self, endpoint: &Endpoint) -> bool {
        self.0.http2.unwrap_or_else(|| endpoint.is_tls())
    }

    /// Opens a connection. Where it may be shared, others wait for it instead of opening their own.
    async fn open_in_turn(&self, endpoint: &Endpoint, key: Key, upgrade: bool) -> Result<Opened, HttpError> {
        if upgrade || !self.may_speak_http2(endpoint) {
            return self.open(endpoint, key, upgrade).await;
        }
        let Some(turn) = pool::turn(key, &self.0.shared) else {
            return self.open(endpoint, key, upgrade).await;
        };
        let attempt = turn.take().await?;
        if let Some(sender) = pool::http2(&key) {
            return Ok(Opened::Http2(sender));
        }
        if pool::turn(key, &self.0.shared).is_none() {
            drop(attempt);
            return self.open(endpoint, key, upgrade).await;
        }
        let opened = self.open(endpoint, key, upgrade).await;
        if let Ok(Opened::Http1(_)) = opened {
            pool::end_turns(&key);
        }
        attempt.end(opened.as_ref().err());
        opened
    }

    async fn open(&self, endpoint: &Endpoint, key: Key, upgrade: bool) -> Result<Opened, HttpError> {
        let tls = if endpoint.is_tls() { Some(self.tls(endpoint).await?) } else { None };
        let (stream, chosen) = connect(endpoint, self.way(endpoint), tls, upgrade, self.0.connect_timeout).await?;
        let shared = &self.0.shared;
        if chosen || (self.0.http2 == Some(true) && !upgrade) {
            let sender = h2::open(endpoint, stream, shared).await?;
            pool::put_http2(key, shared, sender.clone());
            return Ok(Opened::Http2(sender));
        }
        let link = Link::new(stream);
        let home = Arc::new(Home { shared: shared.clone(), key });
        let _open = shared.gauge.opens();
        Ok(Opened::Http1(Box::new(Connection { link, home, _open })))
    }

    /// The TLS settings. Without options of their own they are made at the first use, away from the worker.
    async fn tls(&self, endpoint: &Endpoint) -> Result<Arc<Tls>, HttpError> {
        let build = || async {
            let (context, http2) = (self.0.shared.context.clone(), self.0.http2);
            let built = self.0.shared.context.blocking(move || Tls::build(&TlsSettings::default(), http2, &context));
            match built.await {
                Ok(Ok(tls)) => Ok(Arc::new(tls)),
                Ok(Err(error)) => Err(std::io::Error::other(error)),
                Err(stopped) => Err(std::io::Error::other(stopped)),
            }
        };
        let failed = |source| HttpError::Tls { host: endpoint.authority().to_string(), source };
        self.0.tls.get_or_try_init(build).await.cloned().map_err(failed)
    }

    /// The reply, whose head has come.
    fn receive(
        &self,
        endpoint: &Endpoint,
        connection: Box<Connection>,
        mut head: response::Parts,
        upgrade: &mut Option<Upgrade>,
    ) -> Result<Response<Body>, Failure> {
        // Over HTTP/1.0 a streamed body could not be sent on.
        head.version = Version::HTTP_11;
        if let Some(client) = upgrade.take_if(|_| head.status == StatusCode::SWITCHING_PROTOCOLS) {
            let (stream, early) = connection.link.into_stream();
            client.join(&self.0.shared.context, stream, early);
            return Ok(Response::from_parts(head, Body::empty()));
        }
        let body = h1::receive(connection).map_err(|error| HttpError::broken(endpoint.authority(), error, false))?;
        Ok(Response::from_parts(head, body))
    }
}

impl fmt::Debug for HttpClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpClient").field("upstream", &self.0.shared.context.name()).finish_non_exhaustive()
    }
}

/// The error of a lost exchange: `Ok` where the request may be sent again, as nothing of it was sent, or repeating it does
/// no harm and nothing was answered.
fn failed(endpoint: &Endpoint, lost: h1::Lost, may_repeat: bool) -> Result<HttpError, HttpError> {
    let h1::Lost { error, is_whole, sent, silent } = lost;
    let again = is_whole && !error.is_malformed() && (!sent || (may_repeat && silent));
    let error = HttpError::broken(endpoint.authority(), error, !sent && again);
    if again { Ok(error) } else { Err(error) }
}

/// Whether sending the request twice does no harm (RFC 9110, 9.2.2).
fn is_idempotent(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS | Method::TRACE | Method::PUT | Method::DELETE)
}
