//! A server, a client of it that is not the gateway, and a gateway before it.

use std::time::Duration;

use async_nats::Client;
use callgate_core::{Body, Registry, Snapshot, document::Document, plan::Plan};
use callgate_nats::{Nats, NatsTrigger};
pub(crate) use callgate_testkit::gateway::Answer;
use callgate_testkit::{
    gateway::{self, Files},
    peers::{NatsServer, present},
};
use futures_util::StreamExt;
use http::{Request, Response};
use tokio::{runtime::Handle, time::timeout};

const LONG: Duration = Duration::from_secs(60);

/// A gateway with the upstream `events` and a route `/NAME/{v}` for each function.
pub(crate) struct Stage {
    gateway: gateway::Client,
}

/// A server, unless it is not installed.
pub(crate) async fn server(settings: &str) -> Option<NatsServer> {
    present(NatsServer::start(settings).await)
}

/// A client of the test's own.
pub(crate) async fn client(server: &NatsServer) -> Client {
    async_nats::ConnectOptions::new()
        .reconnect_delay_callback(|_| Duration::from_millis(20))
        .connect(server.url())
        .await
        .unwrap()
}

/// Waits until the server has handled what this client sent before: flushing only sends it.
pub(crate) async fn settled(client: &Client) {
    let inbox = client.new_inbox();
    let mut echo = client.subscribe(inbox.clone()).await.unwrap();
    client.publish(inbox, "".into()).await.unwrap();
    timeout(LONG, echo.next()).await.unwrap().unwrap();
}

impl Stage {
    /// `options` are the upstream's beside its servers, `functions` pairs of a name and a target.
    pub(crate) async fn new(server: &NatsServer, options: &str, functions: &[(&str, &str)]) -> Self {
        Self::of(&format!("{{servers: \"{}\"{options}}}", server.url()), functions).await
    }

    pub(crate) async fn of(upstream: &str, functions: &[(&str, &str)]) -> Self {
        Self::read(&written(upstream, functions)).await
    }

    /// A gateway as a whole document says, its triggers started.
    pub(crate) async fn read(yaml: &str) -> Self {
        let gateway = gateway::Client::of(plan(yaml)).await.unwrap();
        gateway.gateway.snapshot().start_triggers();
        Self { gateway }
    }

    /// Serves with other options from now on; what is replaced is closed.
    pub(crate) async fn reload(
        &self,
        server: &NatsServer,
        options: &str,
        functions: &[(&str, &str)],
        background: &Handle,
    ) {
        let upstream = format!("{{servers: \"{}\"{options}}}", server.url());
        let (plan, former) = (plan(&written(&upstream, functions)), self.gateway.gateway.snapshot());
        let reloaded = Snapshot::reload(plan, former, background).await.unwrap();
        let dropped = reloaded.put_in_force(&self.gateway.gateway);
        timeout(LONG, dropped.retire(std::future::ready(()))).await.unwrap();
    }

    /// Closes the upstream.
    pub(crate) async fn close(&self) {
        timeout(LONG, self.gateway.gateway.snapshot().close()).await.unwrap();
    }

    pub(crate) async fn open(&self, request: http::request::Builder, body: impl Into<Body>) -> Response<Body> {
        let request: Request<Body> = request.body(body.into()).unwrap();
        timeout(LONG, self.gateway.open(request)).await.expect("it takes too long")
    }

    pub(crate) async fn send(&self, request: http::request::Builder, body: impl Into<Body>) -> Answer {
        let response = self.open(request, body).await;
        timeout(LONG, Answer::read(response, 1 << 26)).await.unwrap().unwrap()
    }

    pub(crate) async fn post(&self, path: &str, body: &'static str) -> Answer {
        self.send(Request::post(path), body).await
    }

    pub(crate) async fn ready(&self) -> Result<(), String> {
        let ready = timeout(LONG, self.gateway.gateway.snapshot().ready()).await.unwrap();
        ready.into_iter().try_for_each(|(_, ready)| ready.map_err(|error| error.to_string()))
    }
}

/// A document with the upstream `events` and a route `/NAME/{v}` for each function.
fn written(upstream: &str, functions: &[(&str, &str)]) -> String {
    let mut yaml = format!("upstreams:\n  events:\n    nats: {upstream}\n    functions:\n");
    for (name, target) in functions {
        yaml += &format!("      {name}: {{{target}}}\n");
    }
    yaml += "defaults: {timeout: 20s}\nroutes:\n";
    for (name, _) in functions {
        yaml += &format!("  - {{name: {name}, match: \"/{name}/{{v}}\", to: events/{name}}}\n");
        yaml += &format!("  - {{match: \"/quick/{name}/{{v}}\", to: events/{name}, timeout: 300ms}}\n");
    }
    yaml
}

fn plan(yaml: &str) -> Plan {
    let document = Document::parse("nats.yaml", yaml, &Files).unwrap();
    let registry = Registry::new().with::<Nats>().with_trigger::<NatsTrigger>();
    Plan::read(&document, &registry).unwrap_or_else(|report| panic!("{report}"))
}
