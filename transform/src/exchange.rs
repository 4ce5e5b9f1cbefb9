//! What is known about one request, from its routing to the end of its response.

use std::{
    net::IpAddr,
    sync::{Arc, OnceLock},
};

use http::{HeaderValue, Request};
use minijinja::Value;
use smallvec::SmallVec;
use smol_str::SmolStr;

use crate::{message::Message, payload::Payload};

/// What routing and authentication found out about a request.
#[derive(Clone, Debug)]
pub struct Facts {
    /// The name of the route.
    pub route: Arc<str>,
    /// The request id, as headers have it: visible ASCII characters.
    pub request_id: HeaderValue,
    /// The address of the client, when it has one.
    pub client_ip: Option<IpAddr>,
    /// What the route's template captured, decoded, in the order of the template.
    pub params: Params,
    /// The claims of the caller's token.
    pub claims: Option<Arc<serde_json::Value>>,
}

impl Facts {
    /// The request id as text.
    #[must_use]
    pub fn request_id(&self) -> &str {
        self.request_id.to_str().unwrap_or_default()
    }
}

/// What was captured, by name and in its order. One short value needs no memory of its own: most templates have one.
pub type Captured = SmallVec<[(Arc<str>, SmolStr); 1]>;

/// The captures of a path template, decoded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Params {
    pub(crate) values: Captured,
    pub(crate) tail: Option<Arc<str>>,
}

impl Params {
    /// Captures, and which of them is the tail capture: `{*rest}` keeps its slashes where a path renders it.
    #[must_use]
    pub const fn new(values: Captured, tail: Option<Arc<str>>) -> Self {
        Self { values, tail }
    }

    /// The value of a capture.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.values.iter().find(|(key, _)| &**key == name).map(|(_, value)| value.as_str())
    }

    /// Names and values, in the order of the template.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.values.iter().map(|(name, value)| (&**name, value.as_str()))
    }

    /// The value of the tail capture.
    #[must_use]
    pub fn tail(&self) -> Option<&str> {
        self.get(self.tail.as_deref()?)
    }
}

/// Captures that are one segment each.
impl From<Vec<(Arc<str>, SmolStr)>> for Params {
    fn from(values: Vec<(Arc<str>, SmolStr)>) -> Self {
        Self::new(values.into(), None)
    }
}

/// Facts, and what they were converted to so far.
#[derive(Debug)]
pub(crate) struct Known {
    pub(crate) facts: Facts,
    claims: OnceLock<Value>,
    certificate: Option<Arc<serde_json::Value>>,
}

impl Known {
    /// One claim, without converting all; undefined when there is none of that name.
    pub(crate) fn claim(&self, name: &str) -> Value {
        let claim = self.facts.claims.as_deref().and_then(|claims| claims.get(name));
        claim.map_or(Value::UNDEFINED, |claim| Value::from(minijinja::value::Serde(claim)))
    }

    /// The client's certificate, where it showed one.
    pub(crate) fn certificate(&self) -> Option<Value> {
        self.certificate.as_deref().map(|certificate| Value::from(minijinja::value::Serde(certificate)))
    }

    pub(crate) fn claims(&self) -> Option<Value> {
        let claims = self.facts.claims.as_ref()?;
        Some(self.claims.get_or_init(|| Value::from(minijinja::value::Serde(&**claims))).clone())
    }
}

/// The named values that steps extracted, the later of two with one name being last.
pub(crate) type Vars = Vec<(Arc<str>, Value)>;

/// The state of one request that outlives both directions: facts, `vars`, and the kept request.
#[derive(Clone, Debug)]
pub struct Exchange {
    facts: Facts,
    certificate: Option<Arc<serde_json::Value>>,
    /// Made when something is rendered, which most requests need not.
    known: OnceLock<Arc<Known>>,
    pub(crate) vars: Vars,
    pub(crate) request: Option<Arc<Message>>,
}

impl Exchange {
    /// The state at the beginning.
    #[must_use]
    pub fn new(facts: Facts) -> Self {
        Self { facts, certificate: None, known: OnceLock::new(), vars: Vec::new(), request: None }
    }

    /// The client showed this certificate: an object, which templates see as `client.certificate`.
    #[must_use]
    pub fn with_client_certificate(mut self, certificate: Arc<serde_json::Value>) -> Self {
        (self.certificate, self.known) = (Some(certificate), OnceLock::new());
        self
    }

    /// What routing and authentication found out.
    #[must_use]
    pub fn facts(&self) -> &Facts {
        &self.facts
    }

    /// The same, as what is rendered shares it.
    pub(crate) fn known(&self) -> Arc<Known> {
        let make = || {
            let (facts, certificate) = (self.facts.clone(), self.certificate.clone());
            Arc::new(Known { facts, claims: OnceLock::new(), certificate })
        };
        Arc::clone(self.known.get_or_init(make))
    }

    /// Says what authentication found out, before anything was rendered.
    pub fn set_claims(&mut self, claims: Arc<serde_json::Value>) {
        (self.facts.claims, self.known) = (Some(claims), OnceLock::new());
    }

    /// Keeps the client's request for response steps that read it (`ResponsePipeline::reads_request`).
    pub fn keep_request<B>(&mut self, request: &Request<B>, payload: &Payload) {
        let (method, uri, headers) = (request.method(), request.uri(), request.headers());
        self.request = Some(Arc::new(Message::of_request(method, uri, headers, payload.clone())));
    }
}
