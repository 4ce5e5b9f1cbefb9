//! A gateway before the broker.

use std::time::Duration;

use callgate_amqp::Amqp;
use callgate_core::{Body, Registry, document::Document, plan::Plan};
use callgate_testkit::gateway::{Answer, Client, Files};
use http::{Request, Response};
use tokio::time::timeout;

use crate::bed::Bed;

const LONG: Duration = Duration::from_secs(60);

/// A gateway with the upstream `events` and a route `/NAME/{v}` for each function.
pub(crate) struct Stage {
    gateway: Client,
}

impl Stage {
    /// `options` are the upstream's beside its URL, `functions` pairs of a name and a target.
    pub(crate) async fn new(bed: &Bed, options: &str, functions: &[(&str, &str)]) -> Self {
        Self::of(&format!("{{url: \"{}\"{options}}}", bed.url), functions).await
    }

    pub(crate) async fn of(upstream: &str, functions: &[(&str, &str)]) -> Self {
        let mut yaml = format!("upstreams:\n  events:\n    amqp: {upstream}\n    functions:\n");
        for (name, target) in functions {
            yaml += &format!("      {name}: {{{target}}}\n");
        }
        yaml += "defaults: {timeout: 20s}\nroutes:\n";
        for (name, _) in functions {
            yaml += &format!("  - {{name: {name}, match: \"/{name}/{{v}}\", to: events/{name}}}\n");
            yaml += &format!("  - {{match: \"/quick/{name}/{{v}}\", to: events/{name}, timeout: 1s}}\n");
        }
        let document = Document::parse("amqp.yaml", &yaml, &Files).unwrap();
        let plan = Plan::read(&document, &Registry::new().with::<Amqp>()).unwrap_or_else(|report| panic!("{report}"));
        Self { gateway: Client::of(plan).await.unwrap() }
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

    /// Ends the gateway.
    pub(crate) async fn close(&self) {
        timeout(LONG, self.gateway.gateway.snapshot().close()).await.unwrap();
    }

    pub(crate) async fn ready(&self) -> Result<(), String> {
        let ready = timeout(LONG, self.gateway.gateway.snapshot().ready()).await.unwrap();
        ready.into_iter().try_for_each(|(_, ready)| ready.map_err(|error| error.to_string()))
    }
}
