//! A service that counts its calls, by the order that each is about.

use std::{
    collections::HashMap,
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto::Builder,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinSet,
};

/// How many bytes the body of an order has.
pub(crate) const SIZE: usize = 8 << 10;

/// The service; it ends when it is dropped.
///
/// `x-order` names the order and `x-gateway` who forwards it. With `x-do: break` the first call of an order ends without an
/// answer, with `x-do: hold` it waits to be [let go](Self::release).
pub(crate) struct Orders {
    pub(crate) address: SocketAddr,
    calls: Arc<Calls>,
    _listener: JoinSet<()>,
}

#[derive(Default)]
struct Calls {
    calls: Mutex<HashMap<String, Vec<Call>>>,
    released: watch::Sender<bool>,
}

/// A call of the service.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(crate) gateway: String,
    /// All of its body has come.
    pub(crate) whole: bool,
}

/// The body of an order.
pub(crate) fn body(order: &str, size: usize) -> String {
    order.chars().chain(" ".chars()).cycle().take(size).collect()
}

impl Orders {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let calls = Arc::new(Calls::default());
        let mut tasks = JoinSet::new();
        let counted = Arc::clone(&calls);
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                connections.spawn(serve(stream, Arc::clone(&counted)));
            }
        });
        Self { address, calls, _listener: tasks }
    }

    /// The calls that there were about an order.
    pub(crate) fn calls(&self, order: &str) -> Vec<Call> {
        self.calls.lock().get(order).cloned().unwrap_or_default()
    }

    /// How many orders there were calls about.
    pub(crate) fn count(&self) -> usize {
        self.calls.lock().len()
    }

    /// Lets go what waits, and what would.
    pub(crate) fn release(&self) {
        self.calls.released.send_replace(true);
    }
}

impl Calls {
    fn lock(&self) -> MutexGuard<'_, HashMap<String, Vec<Call>>> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn serve(stream: TcpStream, calls: Arc<Calls>) {
    let service = service_fn(|request| answer(request, Arc::clone(&calls)));
    // How a connection ends is the gateway's affair.
    drop(Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), service).await);
}

/// The connection is to end without an answer.
#[derive(Debug, thiserror::Error)]
#[error("the call breaks")]
struct Broken;

async fn answer(request: Request<Incoming>, calls: Arc<Calls>) -> Result<Response<Full<bytes::Bytes>>, Broken> {
    let field = |headers: &HeaderMap, name: &str| {
        headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned()
    };
    let [order, gateway, what] = ["x-order", "x-gateway", "x-do"].map(|name| field(request.headers(), name));
    let is_get = request.method() == http::Method::GET;
    let number = {
        let mut calls = calls.lock();
        let calls = calls.entry(order.clone()).or_default();
        calls.push(Call { gateway, whole: false });
        calls.len()
    };
    let text = request.into_body().collect().await.map_err(|_| Broken)?.to_bytes();
    let is_right = if is_get { text.is_empty() } else { text == body(&order, text.len()) && text.len() >= SIZE };
    if let Some(call) = calls.lock().get_mut(&order).and_then(|calls| calls.get_mut(number - 1)) {
        call.whole = true;
    }
    match what.as_str() {
        "break" if number == 1 => return Err(Broken),
        "hold" => drop(calls.released.subscribe().wait_for(|released| *released).await),
        _ => {}
    }
    let (status, text) =
        if is_right { (StatusCode::OK, format!("done {order}")) } else { (StatusCode::BAD_REQUEST, "other".into()) };
    let mut response = Response::new(Full::from(text));
    *response.status_mut() = status;
    Ok(response)
}
