//! The settings of the kind, per upstream.

use std::sync::Arc;

use callgate_core::{Invalid, Period, Secret, Settings};
use callgate_http::{HttpSettings, ProxySettings, TlsSettings};
use callgate_wsdl::{Contract, is_url};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::address::Address;

/// A SOAP service.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The service's WSDL 1.1: a file, relative to the document's folder, or a URL. What it imports and includes is found
    /// from there. Without one, each function says its `action` and its body as `xml`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wsdl: Option<String>,
    /// Where the service is. Default: the address in the WSDL.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// The port of the WSDL whose binding is used. Default: of several, the first that speaks SOAP 1.1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port: Option<String>,
    /// Who the gateway is for the service.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub credentials: Option<Credentials>,
    /// TLS towards the service. The certificate is always verified.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls: Option<TlsSettings>,
    /// `true`: HTTP/2 only, without TLS by prior knowledge. `false`: HTTP/1.1 only. Without it the service chooses in
    /// the TLS handshake, and plain connections speak HTTP/1.1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub http2: Option<bool>,
    /// A forward proxy that all connections go through.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proxy: Option<ProxySettings>,
    /// How long a new connection may take: name look-up, TCP and TLS together. Default: 5s.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connect_timeout: Option<Period>,
    /// How long an unused connection is kept. Default: 55s.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub idle_timeout: Option<Period>,
    /// How many unused connections each worker keeps. Default: 256.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_idle: Option<usize>,
    /// What the WSDL says, once its files are read.
    #[serde(skip)]
    pub(crate) contract: Option<Arc<Contract>>,
}

/// Who the gateway is for a service: by HTTP, by a header of SOAP, or both.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Credentials {
    /// HTTP's basic authentication.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub basic: Option<Basic>,
    /// A UsernameToken of WS-Security 1.0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub username_token: Option<UsernameToken>,
}

/// A user with a password.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Basic {
    /// The user.
    pub user: String,
    /// The password.
    pub password: Secret,
}

/// A user with a password, in a header of SOAP.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UsernameToken {
    /// The user.
    pub user: String,
    /// The password.
    pub password: Secret,
    /// Whether a digest of the password, a nonce and the time is sent instead of the password. Default: `false`.
    #[serde(default)]
    pub digest: bool,
}

impl Config {
    /// How connections to the service are made.
    pub(crate) fn http(&self) -> HttpSettings {
        HttpSettings {
            tls: self.tls.clone(),
            http2: self.http2,
            proxy: self.proxy.clone(),
            connect_timeout: self.connect_timeout,
            idle_timeout: self.idle_timeout,
            max_idle: self.max_idle,
        }
    }
}

impl Settings for Config {
    fn check(&self) -> Vec<Invalid> {
        let mut found = self.http().check();
        if self.wsdl.is_none() && self.url.is_none() {
            found.push(
                Invalid::new("neither a WSDL nor an address is given")
                    .hint("add `wsdl: orders.wsdl`, or `url: http://host/path` and functions with `action` and `xml`"),
            );
        }
        for (field, url) in [("url", self.url.as_ref()), ("wsdl", self.wsdl.as_ref().filter(|wsdl| is_url(wsdl)))] {
            if let Some(Err(error)) = url.map(|url| Address::parse(url)) {
                found.push(Invalid::new(error.to_string()).at(field).hint("write `http://host:port/path`"));
            }
        }
        if self.port.is_some() && self.wsdl.is_none() {
            found.push(Invalid::new("ports are a WSDL's, and there is none").at("port").hint("leave `port` out"));
        }
        let credentials = self.credentials.as_ref();
        if let Some(basic) = credentials.and_then(|credentials| credentials.basic.as_ref())
            && (basic.user.is_empty() || basic.user.contains(':'))
        {
            let hint = "a user is not empty and has no `:`, which ends it (RFC 7617)";
            found.push(Invalid::new("no such user can be sent").at("credentials.basic.user").hint(hint));
        }
        if credentials.is_some_and(|credentials| credentials.basic.is_none() && credentials.username_token.is_none()) {
            found.push(
                Invalid::new("no credentials are given").at("credentials").hint(
                    "add `basic` or `username_token`, each with `user` and `password`, or leave `credentials` out",
                ),
            );
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
    fn a_wsdl_or_an_address_is_enough() {
        assert_eq!(fields(json!({"wsdl": "orders.wsdl"})), [""; 0]);
        assert_eq!(fields(json!({"url": "https://host:8443/soap?x=1"})), [""; 0]);
        assert_eq!(fields(json!({})), [""]);
    }

    #[test]
    fn what_can_not_be_is_named() {
        assert_eq!(fields(json!({"url": "host/soap"})), ["url"]);
        assert_eq!(fields(json!({"wsdl": "http://:80/x?wsdl"})), ["wsdl"]);
        assert_eq!(fields(json!({"url": "http://a", "port": "P"})), ["port"]);
        assert_eq!(fields(json!({"url": "http://a", "credentials": {}})), ["credentials"]);
        let basic = json!({"basic": {"user": "a:b", "password": "x"}});
        assert_eq!(fields(json!({"url": "http://a", "credentials": basic})), ["credentials.basic.user"]);
    }
}
