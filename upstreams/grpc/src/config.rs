//! The settings of the kind, per upstream.

use std::{path::PathBuf, sync::Arc};

use callgate_core::{Invalid, Period, Settings};
use callgate_http::{Endpoint, HttpSettings, ProxySettings, TlsSettings};
use callgate_transform::OneOrMany;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    contract::Contract,
    json::{Reading, Writing},
};

/// A gRPC service.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Where the service is: `http://host:port`, or `https://host`. It is spoken to by HTTP/2 alone, without TLS by prior
    /// knowledge.
    pub url: String,
    /// Files that describe the services, relative to the document's folder: sources (`.proto`), or descriptor sets as
    /// `protoc --include_imports --descriptor_set_out` writes them.
    #[serde(skip_serializing_if = "OneOrMany::is_empty")]
    pub descriptors: OneOrMany<PathBuf>,
    /// Folders in which imports of sources are looked for. The source's own folder and the document's are looked in too,
    /// and what comes with protobuf and `google/api/annotations.proto` is always there.
    #[serde(skip_serializing_if = "OneOrMany::is_empty")]
    pub include: OneOrMany<PathBuf>,
    /// Whether the service is asked to describe itself (server reflection, `v1` or `v1alpha`), at load and every 15
    /// minutes. Default: `false`.
    pub reflection: bool,
    /// How messages become JSON and back.
    pub json: Json,
    /// TLS towards the service. The certificate is always verified.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls: Option<TlsSettings>,
    /// A forward proxy that all connections go through.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proxy: Option<ProxySettings>,
    /// How long a new connection may take: name look-up, TCP and TLS together. Default: 5s.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connect_timeout: Option<Period>,
    /// How long an unused connection is kept. Default: 55s.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub idle_timeout: Option<Period>,
    /// What the files say, once they are read.
    #[serde(skip)]
    pub(crate) contract: Option<Arc<Contract>>,
}

/// How messages become JSON and back. By default as protobuf's own JSON mapping has it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Json {
    /// Whether fields have the names of the descriptors (`user_id`) in replies, instead of `userId`. Requests may always
    /// use both. Default: `false`.
    pub proto_names: bool,
    /// Whether fields with default values are written too: `0`, `""`, `false`, empty lists. Default: `false`.
    pub defaults: bool,
    /// Whether values of enums are numbers in replies, instead of names. Requests may always use both. Default: `false`.
    pub enum_numbers: bool,
    /// Whether fields of a request that its message does not have are passed over, instead of refused. Default: `false`.
    pub ignore_unknown: bool,
}

impl Json {
    pub(crate) fn reading(self) -> Reading {
        Reading { ignore_unknown: self.ignore_unknown }
    }

    pub(crate) fn writing(self) -> Writing {
        Writing { proto_names: self.proto_names, defaults: self.defaults, enum_numbers: self.enum_numbers }
    }
}

impl Config {
    /// How connections to the service are made.
    pub(crate) fn http(&self) -> HttpSettings {
        HttpSettings {
            tls: self.tls.clone(),
            http2: Some(true),
            proxy: self.proxy.clone(),
            connect_timeout: self.connect_timeout,
            idle_timeout: self.idle_timeout,
            max_idle: None,
        }
    }

    /// Whether the messages of the services are known, now or later.
    pub(crate) fn is_described(&self) -> bool {
        self.reflection || !self.descriptors.is_empty()
    }
}

impl Settings for Config {
    fn check(&self) -> Vec<Invalid> {
        let mut found = self.http().check();
        if self.url.is_empty() {
            let missing = Invalid::new("the service's address is missing");
            found.push(missing.hint("add `url: http://host:port`, or `https://host`"));
        } else if let Err(error) = Endpoint::parse(&self.url) {
            let hint = "write `http://host:port` or `https://host`";
            found.push(Invalid::new(error.to_string()).at("url").hint(hint));
        }
        if self.reflection && !self.descriptors.is_empty() {
            found.push(
                Invalid::new("the service is described twice")
                    .at("reflection")
                    .hint("keep `descriptors`, or ask the service itself with `reflection: true`"),
            );
        }
        if !self.include.is_empty() && !self.descriptors.iter().any(|file| crate::contract::is_source(file)) {
            let message = "this is where imports of sources are looked for, and there is no source";
            found.push(Invalid::new(message).at("include").hint("add `descriptors: FILE.proto`, or leave it out"));
        }
        if self.json != Json::default() && !self.is_described() {
            let message = "without descriptors no message becomes JSON";
            found.push(Invalid::new(message).at("json").hint("add `descriptors: FILE` or `reflection: true`"));
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn fields(config: Value) -> Vec<String> {
        let config: Config = serde_json::from_value(config).unwrap();
        config.check().into_iter().map(|invalid| invalid.field).collect()
    }

    #[test]
    fn an_address_is_enough() {
        assert_eq!(fields(json!({"url": "http://a:50051"})), [""; 0]);
        assert_eq!(fields(json!({"url": "https://a", "reflection": true, "json": {"defaults": true}})), [""; 0]);
        assert_eq!(fields(json!({"url": "https://a", "descriptors": "a.pb"})), [""; 0]);
        assert_eq!(fields(json!({"url": "https://a", "descriptors": ["a.proto", "b.pb"], "include": "p"})), [""; 0]);
    }

    #[test]
    fn what_can_not_be_is_named() {
        assert_eq!(fields(json!({})), [""]);
        assert_eq!(fields(json!({"url": "a:50051"})), ["url"]);
        assert_eq!(fields(json!({"url": "http://a", "descriptors": "a.pb", "reflection": true})), ["reflection"]);
        assert_eq!(fields(json!({"url": "http://a", "descriptors": "a.pb", "include": ["p"]})), ["include"]);
        assert_eq!(fields(json!({"url": "http://a", "json": {"proto_names": true}})), ["json"]);
    }
}
