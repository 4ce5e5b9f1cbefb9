//! `telemetry`: traces and metrics for a collector.

use std::{collections::BTreeMap, time::Duration};

use http::{HeaderName, HeaderValue, Uri};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::root;
use crate::document::{Flaw, Node, Percent, Period, Secret};

/// How often metrics are sent.
const EVERY: Duration = Duration::from_secs(30);

/// Traces and metrics for a collector.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct TelemetrySettings {
    /// A collector that speaks OTLP. Default: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    otlp: Option<OtlpSettings>,
}

/// A collector that speaks OTLP.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct OtlpSettings {
    /// Its URL: `http://127.0.0.1:4317` for gRPC, `http://127.0.0.1:4318` for HTTP, or `https:`.
    endpoint: String,
    /// How it is spoken to. Default: `http`.
    #[serde(default)]
    protocol: OtlpProtocol,
    /// Headers of every export, such as a key of the collector's owner.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    headers: BTreeMap<String, Secret>,
    /// How many of the traces that begin here are recorded, as `10%`. One that a caller began is recorded where the caller
    /// says so. Default: `100%`.
    #[serde(default = "whole")]
    sample: Percent,
    /// How often metrics are sent; `0s` for never. Default: `30s`.
    #[serde(default = "every")]
    metrics: Period,
    /// What the gateway is called (`service.name`). Default: `callgate`.
    #[serde(default = "service")]
    service: String,
}

fn every() -> Period {
    EVERY.into()
}

const fn whole() -> Percent {
    Percent::of(100)
}

fn service() -> String {
    "callgate".to_owned()
}

/// How a collector is spoken to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum OtlpProtocol {
    /// gRPC.
    Grpc,
    /// Protobuf over HTTP/1.1, to `/v1/traces` and `/v1/metrics` below the endpoint.
    #[default]
    Http,
}

/// A collector that traces and metrics go to.
#[derive(Debug, Clone, PartialEq)]
pub struct Collector {
    /// Its URL.
    pub endpoint: Uri,
    /// How it is spoken to.
    pub protocol: OtlpProtocol,
    /// Headers of every export.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// How many of the traces that begin here are recorded, from 0 to 1.
    pub sample: f64,
    /// How often metrics are sent, if they are.
    pub metrics: Option<Duration>,
    /// What the gateway is called.
    pub service: String,
}

impl Collector {
    pub(super) fn read(settings: &TelemetrySettings, document: &Node, flaws: &mut Vec<Flaw>) -> Option<Self> {
        let Some(otlp) = &settings.otlp else {
            let at = document.entry("telemetry").map_or(document.at, |(key, _)| key.at);
            let flaw = Flaw::error(at, &root().key("telemetry"), "`telemetry` does nothing without a collector");
            flaws.push(
                flaw.with_hint("name one: `otlp: {endpoint: \"http://127.0.0.1:4318\"}`, or leave `telemetry` out"),
            );
            return None;
        };
        let node = document.get("telemetry").and_then(|telemetry| telemetry.get("otlp"));
        let path = root().key("telemetry").key("otlp");
        let mut headers = Vec::new();
        for (name, value) in &otlp.headers {
            let parsed = name.parse::<HeaderName>().ok().zip(HeaderValue::from_str(value.expose()).ok());
            match parsed {
                Some((name, mut value)) => {
                    value.set_sensitive(true);
                    headers.push((name, value));
                }
                None => {
                    let at = node.and_then(|node| node.get("headers")?.entry(name)).map(|(key, _)| key.at);
                    let path = path.key("headers").key(name);
                    flaws.push(Flaw::error(
                        at.unwrap_or(document.at),
                        &path,
                        "this is no header, or its value is none",
                    ));
                }
            }
        }
        let endpoint = otlp.endpoint.parse::<Uri>().ok().filter(|uri| {
            uri.authority().is_some() && matches!(uri.scheme_str(), Some("http" | "https")) && uri.query().is_none()
        });
        if endpoint.is_none() {
            let at = node.and_then(|node| node.get("endpoint")).map_or(document.at, |endpoint| endpoint.at);
            let flaw = Flaw::error(at, &path.key("endpoint"), "this is no URL of a collector");
            flaws.push(flaw.with_hint("write one like http://127.0.0.1:4318"));
        }
        Some(Self {
            endpoint: endpoint?,
            protocol: otlp.protocol,
            headers,
            sample: otlp.sample.fraction(),
            metrics: Some(otlp.metrics.get()).filter(|every| !every.is_zero()),
            service: otlp.service.clone(),
        })
    }
}
