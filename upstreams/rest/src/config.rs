//! The options of the kind, and of its targets.

use std::{collections::BTreeMap, fmt, sync::Arc};

use callgate_core::{Invalid, Period, Settings, document::Text};
use callgate_http::{Endpoint as HttpEndpoint, HttpSettings, TlsSettings};
use callgate_openapi::Document;
use schemars::JsonSchema;
use serde::{
    Deserialize, Deserializer, Serialize,
    de::{self, MapAccess, Visitor, value::MapAccessDeserializer},
};

use crate::{contract::Source, credentials::Credential, error::Unusable, health::Health, standing::Ejection};

/// The largest weight of an endpoint.
const MAX_WEIGHT: u32 = 1000;

/// An HTTP service, as one URL or as several endpoints.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The service's URL: `http://pets:8080/api`. Its path is put before every request's path.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Several instances of the service, instead of `url`: each a URL, or `{url, weight}`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub endpoints: Vec<Endpoint>,
    /// How requests are spread over the endpoints.
    pub balance: Balance,
    /// When an endpoint of several to which calls fail is left out for a while.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ejection: Option<Ejection>,
    /// How endpoints are asked whether they are well. Default: not at all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub health: Option<Health>,
    /// The service's OpenAPI 3.0, 3.1 or Swagger 2.0 document, so that routes name its operations: a file, a URL, or
    /// `discover` for the usual paths below `url`. Without `url` and `endpoints` it says where the service is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub openapi: Option<String>,
    /// Values for the variables of the document's server.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub server_variables: BTreeMap<String, Text>,
    /// What operations are called with, by the names of the document's security schemes: a key as text, `{token}`,
    /// `{user, password}`, or `{client: true}` where clients bring their own.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub credentials: BTreeMap<String, Credential>,
    /// TLS towards the service. The certificate is always verified.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls: Option<TlsSettings>,
    /// `true`: HTTP/2 only, without TLS by prior knowledge. `false`: HTTP/1.1 only. Without it the service chooses in
    /// the TLS handshake, and plain connections speak HTTP/1.1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub http2: Option<bool>,
    /// How long a new connection may take: name look-up, TCP and TLS together. Default: 5s.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connect_timeout: Option<Period>,
    /// How long an unused connection is kept. Default: 55s.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub idle_timeout: Option<Period>,
    /// How many unused connections each worker keeps per endpoint. Default: 256.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_idle: Option<usize>,
    /// The document, where it is a file.
    #[serde(skip)]
    pub(crate) document: Option<Arc<Document>>,
}

/// How requests are spread over the endpoints.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Balance {
    /// In turn, by weight.
    #[default]
    RoundRobin,
    /// Of two at random, the one with fewer calls under way for its weight.
    LeastRequest,
}

/// One of several endpoints.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum Endpoint {
    /// A URL.
    Url(String),
    /// A URL that gets a larger or smaller share.
    Weighted(Weighted),
}

/// A URL that gets a larger or smaller share.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Weighted {
    /// The endpoint's URL.
    pub url: String,
    /// Its share, 1 to 1000. Default: 1.
    #[serde(default = "one")]
    pub weight: u32,
}

fn one() -> u32 {
    1
}

impl Endpoint {
    fn url(&self) -> &str {
        match self {
            Self::Url(url) => url,
            Self::Weighted(weighted) => &weighted.url,
        }
    }

    fn weight(&self) -> u32 {
        match self {
            Self::Url(_) => 1,
            Self::Weighted(weighted) => weighted.weight,
        }
    }
}

impl Config {
    /// The endpoints with their weights.
    pub(crate) fn parsed(&self) -> Result<Vec<(HttpEndpoint, u32)>, Unusable> {
        let parse = |field: String, url: &str, weight| match HttpEndpoint::parse(url) {
            Ok(endpoint) => Ok((endpoint, weight)),
            Err(source) => Err(Unusable::Endpoint { field, source }),
        };
        if let Some(url) = &self.url {
            return Ok(vec![parse("url".to_owned(), url, 1)?]);
        }
        let endpoints = self.endpoints.iter().enumerate();
        endpoints.map(|(index, one)| parse(format!("endpoints, item {}", index + 1), one.url(), one.weight())).collect()
    }

    /// Where the document is.
    pub(crate) fn source(&self) -> Option<Source> {
        self.openapi.as_deref().map(Source::parse)
    }

    /// What can be said of the document's options without it.
    fn check_contract(&self) -> Vec<Invalid> {
        let mut invalid = Vec::new();
        match self.source() {
            None => {
                let only = |field: &str| Invalid::new("this is for operations").at(field).hint("add `openapi: FILE`");
                invalid.extend((!self.server_variables.is_empty()).then(|| only("server_variables")));
                invalid.extend((!self.credentials.is_empty()).then(|| only("credentials")));
            }
            Some(Source::Url(url)) => {
                if let Err(error) = Source::endpoint(&url) {
                    invalid.push(Invalid::new(error.to_string()).at("openapi"));
                }
            }
            Some(Source::File(_) | Source::Discover) => {}
        }
        if !self.server_variables.is_empty() && self.has_address() {
            let message = "the address of `url` or `endpoints` replaces the document's server";
            invalid.push(Invalid::new(message).at("server_variables").hint("keep one of them"));
        }
        for (name, credential) in &self.credentials {
            invalid.extend(credential.check().map(|wrong| wrong.at(format!("credentials.{name}"))));
        }
        invalid
    }

    /// The URLs of the settings.
    pub(crate) fn urls(&self) -> impl Iterator<Item = &str> {
        self.url.as_deref().into_iter().chain(self.endpoints.iter().map(Endpoint::url))
    }

    /// Whether the settings say where the service is.
    pub(crate) fn has_address(&self) -> bool {
        self.url.is_some() || !self.endpoints.is_empty()
    }

    pub(crate) fn http(&self) -> HttpSettings {
        HttpSettings {
            tls: self.tls.clone(),
            http2: self.http2,
            proxy: None,
            connect_timeout: self.connect_timeout,
            idle_timeout: self.idle_timeout,
            max_idle: self.max_idle,
        }
    }
}

impl Settings for Config {
    fn check(&self) -> Vec<Invalid> {
        let mut invalid = self.http().check();
        invalid.extend(self.check_contract());
        match (&self.url, self.endpoints.is_empty()) {
            (None, true) if self.source().is_none_or(|source| source == Source::Discover) => invalid.push(
                Invalid::new("the service's address is missing")
                    .hint("add `url: http://host:port`, or `endpoints` with several"),
            ),
            (Some(_), false) => invalid.push(
                Invalid::new("`url` and `endpoints` exclude each other").at("endpoints").hint("keep one of them"),
            ),
            _ => {}
        }
        if let Some(health) = &self.health {
            invalid.extend(health.check());
            if !self.has_address() {
                let wrong = Invalid::new("only the endpoints of the settings are asked").at("health");
                invalid.push(wrong.hint("add `url` or `endpoints`"));
            }
        }
        if let Some(Err(error)) = self.url.as_deref().map(HttpEndpoint::parse) {
            invalid.push(Invalid::new(error.to_string()).at("url").hint("write `http://host:port` or `https://host`"));
        }
        for (index, endpoint) in self.endpoints.iter().enumerate() {
            if let Err(error) = HttpEndpoint::parse(endpoint.url()) {
                invalid.push(
                    Invalid::new(format!("item {}: {error}", index + 1))
                        .at("endpoints")
                        .hint("write `http://host:port` or `https://host`"),
                );
            }
            if !(1..=MAX_WEIGHT).contains(&endpoint.weight()) {
                invalid.push(
                    Invalid::new(format!("item {}: the weight is not between 1 and {MAX_WEIGHT}", index + 1))
                        .at("endpoints")
                        .hint("leave an endpoint out to send it nothing"),
                );
            }
        }
        invalid
    }
}

impl<'de> Deserialize<'de> for Endpoint {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(EndpointVisitor)
    }
}

struct EndpointVisitor;

impl<'de> Visitor<'de> for EndpointVisitor {
    type Value = Endpoint;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a URL, or `{url, weight}`")
    }

    fn visit_str<E: de::Error>(self, url: &str) -> Result<Endpoint, E> {
        Ok(Endpoint::Url(url.to_owned()))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Endpoint, A::Error> {
        Weighted::deserialize(MapAccessDeserializer::new(map)).map(Endpoint::Weighted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn fields(config: serde_json::Value) -> Vec<String> {
        let config: Config = serde_json::from_value(config).unwrap();
        config.check().into_iter().map(|invalid| invalid.field).collect()
    }

    #[test]
    fn an_address_is_given_once() {
        assert_eq!(fields(json!({"url": "http://a"})), [""; 0]);
        assert_eq!(fields(json!({"endpoints": ["http://a", {"url": "http://b", "weight": 2}]})), [""; 0]);
        assert_eq!(fields(json!({})), [""]);
        assert_eq!(fields(json!({"url": "http://a", "endpoints": ["http://b"]})), ["endpoints"]);
    }

    #[test]
    fn every_wrong_address_and_weight_is_named() {
        assert_eq!(fields(json!({"url": "a:80"})), ["url"]);
        let endpoints = json!({"endpoints": ["http://a", "ftp://b", {"url": "http://c", "weight": 0}]});
        assert_eq!(fields(endpoints.clone()), ["endpoints", "endpoints"]);
        let config: Config = serde_json::from_value(endpoints).unwrap();
        let [url, weight] = &config.check()[..] else { panic!("{:?}", config.check()) };
        assert!(url.message.starts_with("item 2: `ftp://b`"), "{url}");
        assert!(weight.message.starts_with("item 3: the weight"), "{weight}");
        assert_eq!(fields(json!({"url": "http://a", "tls": {"certificate": "c.pem"}})), ["tls.certificate"]);
    }

    #[test]
    fn health_is_checked_and_needs_an_address() {
        assert_eq!(fields(json!({"url": "http://a", "health": {"path": "healthz"}})), ["health.path"]);
        assert_eq!(fields(json!({"openapi": "a.yaml", "health": {"path": "/healthz"}})), ["health"]);
    }

    #[test]
    fn an_unknown_field_is_refused() {
        let read = serde_json::from_value::<Config>(json!({"endpoints": [{"url": "http://a", "wieght": 1}]}));
        assert!(read.unwrap_err().to_string().contains("wieght"));
    }
}
