//! The admin address, for operators and load balancers: health, readiness, routes, triggers and
//! configuration.
//!
//! It has a listener of its own, never a public one, and runs on the background runtime, so that it answers also while
//! the workers are busy. What it shows holds no secret.

mod health;

use std::{
    future::IntoFuture,
    io,
    net::{self, SocketAddr},
    os::unix,
    sync::Arc,
};

use axum::{
    Json, Router,
    extract::State,
    http::{HeaderValue, header},
    middleware::map_response,
    response::Response,
    routing::get,
    serve::Listener,
};
use callgate_core::{
    Gateway,
    plan::Address,
    trigger::{Tally, TriggerState},
};
use serde_json::{Value, json};
use tokio::{
    net::{TcpListener, UnixListener},
    runtime::Handle,
    task::JoinHandle,
};

use crate::server::{Readiness, ServerError, remove_stale};

/// What the admin shows of the configuration in force.
#[derive(Debug)]
pub(crate) struct AdminState {
    /// Host, match, destination and name of every route, in the order in which they are tried.
    pub(crate) routes: Vec<[String; 4]>,
    /// The effective document, secrets masked.
    pub(crate) config: Value,
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
    Unix(unix::net::UnixListener),
}

/// A running admin, until this is dropped.
#[derive(Debug)]
pub(crate) struct Serving(JoinHandle<io::Result<()>>);

impl Drop for Serving {
    fn drop(&mut self) {
        self.0.abort();
    }
}

#[derive(Clone)]
struct Shared {
    readiness: Readiness,
    gateway: Gateway,
    state: Arc<AdminState>,
}

impl Admin {
    /// Binds the admin's address.
    ///
    /// # Errors
    /// The address can't be listened at.
    pub(crate) fn bind(address: &Address) -> Result<Self, ServerError> {
        let failed = |reason| ServerError::Listen { listener: "admin".into(), address: address.clone(), reason };
        match address {
            Address::Tcp(at) => tcp(*at).map_err(failed),
            Address::Unix(path) => {
                let bound = remove_stale(path).and_then(|()| unix::net::UnixListener::bind(path));
                let socket = bound.map_err(failed)?;
                socket.set_nonblocking(true).map_err(failed)?;
                Ok(Self { socket: Socket::Unix(socket), address: address.clone() })
            }
        }
    }

    /// Where the admin really listens: port 0 has become a port.
    pub(crate) fn address(&self) -> &Address {
        &self.address
    }

    /// Answers from now on, on the runtime that this is called in.
    ///
    /// # Errors
    /// The runtime can't watch the socket.
    pub(crate) fn serve(self, readiness: Readiness, gateway: Gateway, state: Arc<AdminState>) -> io::Result<Serving> {
        let router = router(Shared { readiness, gateway, state });
        let task = match self.socket {
            Socket::Tcp(socket) => spawn(TcpListener::from_std(socket)?, router),
            Socket::Unix(socket) => spawn(UnixListener::from_std(socket)?, router),
        };
        Ok(Serving(task))
    }
}

fn tcp(address: SocketAddr) -> io::Result<Admin> {
    let socket = net::TcpListener::bind(address)?;
    socket.set_nonblocking(true)?;
    let address = Address::Tcp(socket.local_addr()?);
    Ok(Admin { socket: Socket::Tcp(socket), address })
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
        .route("/live", get(health::live))
        .route("/ready", get(health::ready))
        .route("/routes", get(routes))
        .route("/triggers", get(triggers))
        .route("/config", get(config))
        .layer(map_response(uncached))
        .with_state(shared)
}

async fn routes(State(shared): State<Shared>) -> Json<Vec<Value>> {
    let shown =
        |[host, matcher, to, name]: &[String; 4]| json!({"host": host, "match": matcher, "to": to, "name": name});
    Json(shared.state.routes.iter().map(shown).collect())
}

/// What each trigger does at the moment, and what became of its messages so far.
async fn triggers(State(shared): State<Shared>) -> Json<Vec<Value>> {
    let shown = |state: TriggerState| {
        let Tally { received, succeeded, retried, dead_lettered, dropped, returned, .. } = state.tally;
        json!({
            "name": &*state.name, "source": state.kind, "to": state.to, "running": state.running, "waiting": state.waiting,
            "received": received, "succeeded": succeeded, "retried": retried, "dead_lettered": dead_lettered,
            "dropped": dropped, "returned": returned,
        })
    };
    Json(shared.gateway.snapshot().triggers().into_iter().map(shown).collect())
}

async fn config(State(shared): State<Shared>) -> Json<Value> {
    Json(shared.state.config.clone())
}

/// What is shown is of this moment.
async fn uncached(mut response: Response) -> Response {
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

#[cfg(test)]
mod tests {
    use callgate_core::{
        Registry, Snapshot,
        document::{Document, System},
        plan::Plan,
    };
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpStream,
    };

    use super::*;

    async fn get(path: &str, readiness: &Readiness) -> (String, Value) {
        let text = "upstreams: {e: {echo: {}}}\nroutes: [{name: pong, match: GET /pong, to: e}]";
        let document = Document::parse("test.yaml", text, &System).unwrap_or_else(|report| panic!("{report}"));
        let plan = Plan::read(&document, &Registry::new()).unwrap_or_else(|report| panic!("{report}"));
        let state = AdminState { routes: plan.route_list(), config: plan.effective().clone() };
        let gateway = Gateway::new(Snapshot::load(plan, &Handle::current()).await.unwrap());
        let admin = Admin::bind(&Address::Tcp("127.0.0.1:0".parse().unwrap())).unwrap();
        let Address::Tcp(address) = *admin.address() else { unreachable!() };
        let _serving = admin.serve(readiness.clone(), gateway, Arc::new(state)).unwrap();
        let mut stream = TcpStream::connect(address).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head.to_owned(), serde_json::from_str(body).unwrap())
    }

    #[tokio::test]
    async fn says_why_it_is_not_ready() {
        let readiness = Readiness::starting();
        let (head, body) = get("/ready", &readiness).await;
        assert!(head.starts_with("HTTP/1.1 503"), "{head}");
        assert_eq!((&body["ready"], &body["reason"]), (&json!(false), &json!("the gateway is starting")));
        let (head, _) = get("/live", &readiness).await;
        assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    }

    #[tokio::test]
    async fn shows_upstreams_beside_readiness_and_lets_nobody_cache_it() {
        let readiness = Readiness::starting();
        readiness.serves();
        let (head, body) = get("/ready", &readiness).await;
        assert!(head.starts_with("HTTP/1.1 200") && head.contains("cache-control: no-store"), "{head}");
        assert_eq!(body, json!({"ready": true, "upstreams": {"e": "ready"}}));
    }

    #[tokio::test]
    async fn shows_routes_and_the_configuration() {
        let readiness = Readiness::starting();
        let (_, routes) = get("/routes", &readiness).await;
        assert_eq!((&routes[0]["name"], &routes[0]["host"]), (&json!("pong"), &json!("any")));
        let (_, config) = get("/config", &readiness).await;
        assert!(config["routes"].is_array() && config["listeners"].is_object(), "{config}");
    }
}
