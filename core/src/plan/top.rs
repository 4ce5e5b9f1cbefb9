//! The top level of a document.

use std::{collections::BTreeMap, time::Duration};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Shutdown,
    access_log::AccessLogSettings,
    keep,
    listener::{Address, ListenerSettings},
    opaque::Opaque,
    root,
    telemetry::TelemetrySettings,
};
use crate::{
    document::{Flaw, Node, Period, Secret, Value, from_node},
    policy::PolicySettings,
};

/// A Callgate configuration.
#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct DocumentSettings {
    /// Further files, as globs; their parts are merged.
    include: Vec<String>,
    /// Where the gateway listens, by name. Default: `{public: {address: "0.0.0.0:8080"}}`.
    listeners: Option<BTreeMap<String, ListenerSettings>>,
    /// The address for operators: health, readiness, routes, configuration. Never a public listener.
    #[serde(skip_serializing_if = "Option::is_none")]
    admin: Option<AdminSettings>,
    /// One line per request. Default: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    access_log: Option<AccessLogSettings>,
    /// Traces and metrics for a collector. Default: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    telemetry: Option<TelemetrySettings>,
    /// The upstreams, by name.
    pub(crate) upstreams: Opaque,
    /// The routes for any host.
    pub(crate) routes: Opaque,
    /// Routes and policies by domain: `api.example.com`, `*.example.com`, `*`.
    pub(crate) hosts: Opaque,
    /// What lets messages invoke functions, by name.
    pub(crate) triggers: Opaque,
    /// Tests; `callgate test` runs them.
    pub(crate) tests: Opaque,
    /// Policies for every route.
    defaults: PolicySettings,
    /// How the gateway stops on SIGTERM.
    shutdown: ShutdownSettings,
}

/// The admin listener.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct AdminSettings {
    /// Address and port, or `unix:` and a path.
    address: Address,
    /// What operators have to send as `authorization: Bearer TOKEN`; `/live` and `/ready` need none. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    token: Option<Secret>,
}

/// How the gateway stops on SIGTERM; a second one ends at once.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct ShutdownSettings {
    /// How long it serves on while it says that it is not ready.
    lame_duck: Period,
    /// How long requests that run may take then.
    grace: Period,
}

impl Default for ShutdownSettings {
    fn default() -> Self {
        Self { lame_duck: Duration::from_secs(5).into(), grace: Duration::from_secs(30).into() }
    }
}

/// The top level, checked.
#[derive(Debug)]
pub(super) struct Root {
    pub(super) listeners: BTreeMap<String, ListenerSettings>,
    pub(super) admin: Option<Address>,
    pub(super) admin_token: Option<Secret>,
    pub(super) access_log: Option<AccessLogSettings>,
    pub(super) telemetry: Option<TelemetrySettings>,
    pub(super) defaults: PolicySettings,
    pub(super) shutdown: Shutdown,
}

impl Root {
    /// Reads all but upstreams, routes and hosts.
    pub(super) fn read(node: &Node, flaws: &mut Vec<Flaw>) -> Self {
        let settings: DocumentSettings = keep(from_node(node, &root()), flaws).unwrap_or_default();
        let (admin, admin_token) = settings.admin.map(|admin| (admin.address, admin.token)).unzip();
        let admin_token = admin_token.flatten();
        if admin_token.as_ref().is_some_and(|token: &Secret| token.expose().is_empty()) {
            let at = node.get("admin").and_then(|admin| admin.get("token")).map_or(node.at, |token| token.at);
            let flaw = Flaw::error(at, &root().key("admin").key("token"), "the token is empty");
            flaws.push(
                flaw.with_hint("give it a value, or leave it out where everybody who reaches the address may ask"),
            );
        }
        if let Some(address) = admin.as_ref().filter(|address: &&Address| admin_token.is_none() && address.is_exposed())
        {
            let at = node.get("admin").and_then(|admin| admin.get("address")).map_or(node.at, |address| address.at);
            let message = format!("whoever reaches {address} is an operator: it asks for no token");
            let flaw = Flaw::warning(at, &root().key("admin").key("address"), message);
            flaws.push(
                flaw.with_hint("demand one (`token: \"${ADMIN_TOKEN}\"`), or listen at 127.0.0.1 or a Unix socket"),
            );
        }
        Self {
            listeners: settings.listeners.filter(|listeners| !listeners.is_empty()).unwrap_or_else(default_listener),
            admin,
            admin_token,
            access_log: settings.access_log,
            telemetry: settings.telemetry,
            defaults: settings.defaults.placed("defaults"),
            shutdown: Shutdown { lame_duck: settings.shutdown.lame_duck.into(), grace: settings.shutdown.grace.into() },
        }
    }
}

/// The flaw of a document with nothing in it: rather a file that was not written than one that is meant so.
pub(super) fn empty(document: &Node) -> Option<Flaw> {
    let nothing = document.is_null() || matches!(&document.value, Value::Mapping(entries) if entries.is_empty());
    nothing.then(|| {
        let flaw = Flaw::error(document.at, &root(), "the configuration is empty");
        flaw.with_hint("write at least a route: `routes: [{match: GET /ping, respond: {body: {text: pong}}}]`")
    })
}

/// A warning of a document that is right but serves nothing.
pub(super) fn without_routes(document: &Node) -> Flaw {
    let at = document.get("routes").map_or(document.at, |routes| routes.at);
    Flaw::warning(at, &root().key("routes"), "there is no route: every request is answered 404")
}

fn default_listener() -> BTreeMap<String, ListenerSettings> {
    BTreeMap::from([("public".to_owned(), ListenerSettings::default())])
}
