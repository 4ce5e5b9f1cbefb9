//! A gateway with one route to each function of the remote.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use bytes::Bytes;
use callgate_core::{Body, Gateway, document::Document, plan::Plan};
use http::{HeaderMap, Request, StatusCode};
use libtest_mimic::Failed;

use super::{Fixture, Remote};
use crate::gateway::{self, Files};

/// The remote and the gateway before it.
#[derive(Debug)]
pub struct Harness<F> {
    /// The remote.
    pub fixture: F,
    /// The gateway: `/describe/...`, `/mirror/...` and so on lead to the functions, with a timeout of 20s;
    /// below `/short` the same with one of 500ms.
    pub gateway: Gateway,
    client: Client,
    yaml: String,
}

/// A client of the gateway; clones send beside each other, also while the remote is killed.
#[derive(Debug, Clone)]
pub struct Client(gateway::Client);

/// A reply, read to its end.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

impl Answer {
    /// The failure's code, where the gateway itself answered.
    pub fn code(&self) -> Option<&str> {
        self.headers.get("callgate-error").and_then(|code| code.to_str().ok())
    }

    /// The body as JSON.
    ///
    /// # Errors
    /// Shows the whole answer.
    pub fn json(&self) -> Result<serde_json::Value, Failed> {
        serde_json::from_slice(&self.body).map_err(|error| format!("{error} in {self:?}").into())
    }
}

impl Client {
    /// Sends a request and reads the reply to its end.
    ///
    /// # Errors
    /// When the reply's body breaks.
    pub async fn send(&self, request: Request<Body>) -> Result<Answer, Failed> {
        let response = self.0.open(request).await;
        let (parts, body) = response.into_parts();
        let body = body.collect(u64::MAX).await.map_err(|error| format!("the reply broke: {error:?}"))?;
        Ok(Answer { status: parts.status, headers: parts.headers, body })
    }
}

impl<F: Fixture> Harness<F> {
    /// Puts a gateway before the remote.
    ///
    /// # Errors
    /// What is wrong with the fixture's YAML, or with connecting.
    pub async fn start(fixture: F) -> Result<Self, Failed> {
        Self::with_routes(fixture, "").await
    }

    /// The same with further routes: lines of a list in YAML, indented by two.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub async fn with_routes(fixture: F, routes: &str) -> Result<Self, Failed> {
        let yaml = document(&fixture) + routes;
        let plan = plan::<F>(&yaml)?;
        let client = gateway::Client::of(plan).await.map_err(|error| error.to_string())?;
        let gateway = client.gateway.clone();
        let client = Client(client);
        Ok(Self { fixture, gateway, client, yaml })
    }

    /// The configuration that is in force.
    pub fn yaml(&self) -> &str {
        &self.yaml
    }

    /// A client of the gateway, as the other methods use it.
    pub fn client(&self) -> Client {
        self.client.clone()
    }

    /// Sends a request and reads the reply to its end.
    ///
    /// # Errors
    /// When the reply's body breaks.
    pub async fn send(&self, request: Request<Body>) -> Result<Answer, Failed> {
        self.client.send(request).await
    }

    /// Sends a GET request.
    ///
    /// # Errors
    /// When the reply's body breaks.
    pub async fn get(&self, path: &str) -> Result<Answer, Failed> {
        self.send(Request::get(path).body(Body::empty())?).await
    }

    /// Sends a POST request.
    ///
    /// # Errors
    /// When the reply's body breaks.
    pub async fn post(&self, path: &str, kind: &str, body: impl Into<Body>) -> Result<Answer, Failed> {
        self.send(Request::post(path).header("content-type", kind).body(body.into())?).await
    }

    /// Asks the upstream whether it is ready.
    pub async fn ready(&self) -> Result<(), String> {
        let mut upstreams: BTreeMap<_, _> = self.gateway.snapshot().ready().await;
        match upstreams.remove("remote") {
            Some(Ok(())) => Ok(()),
            Some(Err(error)) => Err(error.to_string()),
            None => Err("there is no upstream".to_owned()),
        }
    }

    /// Tries until the condition holds, for at most 30 seconds.
    ///
    /// # Errors
    /// What the last try said.
    pub async fn until<T>(&self, mut attempt: impl AsyncFnMut(&Self) -> Result<T, Failed>) -> Result<T, Failed> {
        let end = Instant::now() + Duration::from_secs(30);
        loop {
            match attempt(self).await {
                Ok(done) => return Ok(done),
                Err(failed) if Instant::now() > end => return Err(failed),
                Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        }
    }
}

/// Reads a document with the fixture's kinds.
pub(super) fn plan<F: Fixture>(yaml: &str) -> Result<Plan, Failed> {
    let document = Document::parse("conformance.yaml", yaml, &Files).map_err(|report| report.to_string())?;
    Ok(Plan::read(&document, &F::registry()).map_err(|report| report.to_string())?)
}

fn document<F: Fixture>(fixture: &F) -> String {
    let mut yaml = format!("upstreams:\n  remote: {}\nroutes:\n", fixture.upstream());
    for remote in Remote::ALL {
        let (name, to) = (remote.name(), fixture.to(remote));
        yaml.push_str(&format!(
            "  - {{match: \"/{name}/{{*rest}}\", to: {to}, timeout: 20s, limits: {{max_body: 32MiB}}}}\n"
        ));
        yaml.push_str(&format!("  - {{match: \"/short/{name}/{{*rest}}\", to: {to}, timeout: 500ms, request: {{path: \"/{name}/short\"}}}}\n"));
    }
    yaml
}
