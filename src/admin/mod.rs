//! The admin address, for operators and load balancers: health, readiness, metrics, routes, upstreams, triggers,
//! configuration and its reload, and the log's level.
//!
//! It has a listener of its own, never a public one, and runs on the background runtime, so that it answers also while
//! the workers are busy. What it shows holds no secret.

mod attempt;
mod dashboard;
mod health;
mod level;
mod listing;
mod look;
mod metrics;
mod options;
mod process;
mod reload;
mod token;
mod traffic;

use std::{
    future::IntoFuture,
    io,
    net::{self, SocketAddr},
    os::unix,
    path::Path,
};

use axum::{
    Json, Router,
    http::{HeaderValue, Method, StatusCode, Uri, header},
    middleware::{from_fn_with_state, map_response},
    response::{IntoResponse, Response},
    routing::{get, post},
    serve::Listener,
};
use callgate_core::{Gateway, plan::Address};
use serde_json::json;
use tokio::{
    net::{TcpListener, UnixListener},
    runtime::Handle,
    task::JoinHandle,
};

pub(crate) use look::Looks;
pub(crate) use metrics::gather;
use options::Options;

use crate::{
    log::Log,
    reload::Reloads,
    server::{Inherited, Readiness, ServerError, SocketFile, Traffic, remove_stale},
};

/// What the admin tells of, and changes.
#[derive(Debug, Clone)]
pub(crate) struct Shared {
    pub(crate) readiness: Readiness,
    pub(crate) gateway: Gateway,
    pub(crate) traffic: Traffic,
    pub(crate) reloads: Reloads,
    pub(crate) log: Log,
    pub(crate) looks: Looks,
}

/// An admin listener that is bound but does not answer yet.
#[derive(Debug)]
pub(crate) struct Admin {
    socket: Socket,
    address: Address,
}

#[derive(Debug)]
enum Socket {
    Tcp(net::TcpListener),
    Unix(unix::net::UnixListener, SocketFile),
}

/// A running admin, until this is dropped.
#[derive(Debug)]
pub(crate) struct Serving {
    task: JoinHandle<io::Result<()>>,
    /// Removed with it.
    _file: Option<SocketFile>,
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Admin {
    /// Binds the admin's address.
    ///
    /// # Errors
    /// The address can't be listened at.
    pub(crate) fn bind(address: &Address, inherited: &Inherited) -> Result<Self, ServerError> {
        let socket = match address {
            Address::Tcp(at) => tcp(*at, inherited).map(Socket::Tcp),
            Address::Unix(path) => unix(path, inherited).map(|(socket, file)| Socket::Unix(socket, file)),
        };
        let bound = socket.and_then(|socket| {
            let address = match &socket {
                Socket::Tcp(socket) => Address::Tcp(socket.local_addr()?),
                Socket::Unix(..) => address.clone(),
            };
            Ok(Self { socket, address })
        });
        bound.map_err(|reason| ServerError::Listen { listener: "admin".into(), address: address.clone(), reason })
    }

    /// Where the admin really listens: port 0 has become a port.
    pub(crate) fn address(&self) -> &Address {
        &self.address
    }

    /// Answers from now on, on the runtime that this is called in.
    ///
    /// # Errors
    /// The runtime can't watch the socket.
    pub(crate) fn serve(self, shared: Shared) -> io::Result<Serving> {
        let router = router(shared);
        Ok(match self.socket {
            Socket::Tcp(socket) => Serving { task: spawn(TcpListener::from_std(socket)?, router), _file: None },
            Socket::Unix(socket, file) => {
                Serving { task: spawn(UnixListener::from_std(socket)?, router), _file: Some(file) }
            }
        })
    }
}

fn tcp(address: SocketAddr, inherited: &Inherited) -> io::Result<net::TcpListener> {
    if let Some(socket) = inherited.tcp(address, 1)?.and_then(|mut sockets| sockets.pop()) {
        return Ok(socket);
    }
    let socket = net::TcpListener::bind(address)?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

fn unix(path: &Path, inherited: &Inherited) -> io::Result<(unix::net::UnixListener, SocketFile)> {
    if let Some(socket) = inherited.unix(path, 1)?.and_then(|mut sockets| sockets.pop()) {
        return Ok((socket, SocketFile::of_others()));
    }
    remove_stale(path)?;
    let socket = unix::net::UnixListener::bind(path)?;
    let file = SocketFile::own(path.to_owned());
    socket.set_nonblocking(true)?;
    Ok((socket, file))
}

fn spawn<L>(socket: L, router: Router) -> JoinHandle<io::Result<()>>
where
    L: Listener,
    L::Addr: std::fmt::Debug,
{
    Handle::current().spawn(axum::serve(socket, router).into_future())
}

fn router(shared: Shared) -> Router {
    Router::new()
        .route("/", get(dashboard::page))
        .route("/dashboard.css", get(dashboard::style))
        .route("/dashboard.js", get(dashboard::script))
        .route("/live", get(health::live))
        .route("/ready", get(health::ready))
        .route("/metrics", get(metrics::metrics))
        .route("/routes", get(listing::routes))
        .route("/upstreams", get(listing::upstreams))
        .route("/triggers", get(listing::triggers))
        .route("/config", get(listing::config))
        .route("/reload", post(reload::reload).get(reload::history))
        .route("/traffic", get(traffic::traffic))
        .route("/failures", get(traffic::failures))
        .route("/try", post(attempt::attempt))
        .route("/log", get(level::log).put(level::log).delete(level::log))
        .fallback(unknown)
        .method_not_allowed_fallback(wrong_method)
        .layer(from_fn_with_state(shared.clone(), token::guard))
        .layer(map_response(uncached))
        .with_state(shared)
}

/// What there is, with its options, for whoever asks for something else.
const ENDPOINTS: [(&str, &str); 13] = [
    ("GET /", "the dashboard"),
    ("GET /live", "whether the process runs"),
    ("GET /ready", "whether the gateway wants traffic, and why not"),
    ("GET /metrics", "metrics, as Prometheus reads them"),
    ("GET /routes?format=json|text", "the routes in the order in which they are tried"),
    ("GET /upstreams", "the upstreams, whether they are ready, and what discovery found"),
    ("GET /triggers", "the triggers, and what became of their messages"),
    ("GET /traffic", "counters and histograms of each route, for the dashboard"),
    ("GET /failures", "the last hundred requests that the gateway answered for a failure"),
    ("POST /try", "sends a request through the gateway, and shows each of its steps"),
    ("GET, POST /reload", "the last reloads; reloads the configuration"),
    ("GET /config?format=json|yaml", "the configuration in force, secrets masked"),
    (
        "GET, PUT, DELETE /log?level=debug|filter=info,callgate=debug",
        "what is logged: show it, change it, take it back",
    ),
];

async fn unknown(uri: Uri) -> Response {
    let endpoints: serde_json::Map<_, _> =
        ENDPOINTS.iter().map(|(endpoint, what)| ((*endpoint).to_owned(), json!(what))).collect();
    let error = format!("there is no `{}` here", uri.path());
    (StatusCode::NOT_FOUND, Json(json!({"error": error, "endpoints": endpoints}))).into_response()
}

async fn wrong_method(method: Method, uri: Uri) -> Response {
    refused(StatusCode::METHOD_NOT_ALLOWED, &format!("`{}` is not asked by {method}", uri.path()))
}

/// A refusal on its way to who asked; small, as it goes through results.
#[derive(Debug)]
struct Refusal(Box<Response>);

impl From<Response> for Refusal {
    fn from(response: Response) -> Self {
        Self(Box::new(response))
    }
}

impl From<Refusal> for Response {
    fn from(refusal: Refusal) -> Self {
        *refusal.0
    }
}

/// A refusal with its reason.
fn refused(status: StatusCode, reason: &str) -> Response {
    (status, Json(json!({"error": reason}))).into_response()
}

/// What is shown is of this moment.
async fn uncached(mut response: Response) -> Response {
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

#[cfg(test)]
mod tests;
