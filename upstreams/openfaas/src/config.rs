//! The settings of the kind, per upstream.

use std::path::PathBuf;

use callgate_core::{Invalid, Period, Secret, Settings};
use callgate_http::{Endpoint, HttpSettings, TlsSettings};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::name;

/// A gateway of OpenFaaS.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The gateway's URL: `http://gateway.openfaas:8080`.
    pub url: String,
    /// Who lists functions. They are sent to `/system` alone, never to a function.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credentials: Option<Credentials>,
    /// The namespace of functions that name none. Default: the gateway's own, `openfaas-fn`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// How long the gateway itself waits for a function (its `write_timeout`): an empty 200 after that is no reply, but
    /// how the gateway tells that the time was over. Default: 60s.
    #[serde(default = "sixty_seconds")]
    pub gateway_timeout: Period,
    /// TLS towards the gateway. The certificate is always verified.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<TlsSettings>,
    /// `true`: HTTP/2 only, without TLS by prior knowledge. `false`: HTTP/1.1 only. Without it the gateway chooses in
    /// the TLS handshake, and plain connections speak HTTP/1.1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http2: Option<bool>,
    /// How long a new connection may take: name look-up, TCP and TLS together. Default: 5s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connect_timeout: Option<Period>,
    /// How long an unused connection is kept. Default: 55s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idle_timeout: Option<Period>,
    /// How many unused connections each worker keeps. Default: 256.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_idle: Option<usize>,
}

/// Credentials of the gateway.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Credentials {
    /// The user of the gateway's basic authentication.
    pub basic: Basic,
}

/// A user with a password, written as a reference or read from a file.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Basic {
    /// The user. Default: `admin`.
    #[serde(default = "admin")]
    pub user: String,
    /// The password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<Secret>,
    /// The file that holds the password; read at every use, so that it may be changed while the gateway runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password_file: Option<PathBuf>,
}

fn sixty_seconds() -> Period {
    Period::from_secs(60)
}

fn admin() -> String {
    "admin".to_owned()
}

impl Config {
    /// How connections to the gateway are made.
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
        let mut found = self.http().check();
        if let Err(error) = Endpoint::parse(&self.url) {
            found.push(Invalid::new(error.to_string()).at("url").hint("write `http://host:port` or `https://host`"));
        }
        if let Some(namespace) = self.namespace.as_deref().filter(|namespace| !name::is_part(namespace)) {
            let hint = "a namespace has letters, digits, `-` and `_`, as `openfaas-fn`";
            found.push(Invalid::new(format!("`{namespace}` is no namespace")).at("namespace").hint(hint));
        }
        if self.gateway_timeout.is_zero() {
            let hint = "write the gateway's own `write_timeout`, as `60s`";
            found.push(Invalid::new("every empty reply would be a time-out").at("gateway_timeout").hint(hint));
        }
        if let Some(credentials) = &self.credentials {
            credentials.basic.check(&mut found);
        }
        found
    }
}

impl Basic {
    fn check(&self, found: &mut Vec<Invalid>) {
        const PLACE: &str = "credentials.basic";
        if self.user.is_empty() || self.user.contains(':') {
            let hint = "a user is not empty and has no `:`, which ends it (RFC 7617)";
            found.push(Invalid::new("no such user can be sent").at("credentials.basic.user").hint(hint));
        }
        match (&self.password, &self.password_file) {
            (None, None) => found.push(
                Invalid::new("the password is missing")
                    .at(PLACE)
                    .hint("add `password_file: /run/secrets/openfaas`, or `password: \"${OPENFAAS_PASSWORD}\"`"),
            ),
            (Some(_), Some(_)) => found.push(
                Invalid::new("`password` and `password_file` exclude each other")
                    .at("credentials.basic.password_file")
                    .hint("keep one of them"),
            ),
            (Some(password), None) if password.expose().is_empty() => {
                found.push(Invalid::new("the password is empty").at("credentials.basic.password"));
            }
            _ => {}
        }
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
    fn a_url_is_enough() {
        let config: Config = serde_json::from_value(json!({"url": "http://gateway:8080"})).unwrap();
        assert!(config.check().is_empty());
        assert_eq!(config.gateway_timeout, Period::from_secs(60));
    }

    #[test]
    fn what_is_wrong_is_told_at_its_place() {
        let with = |name: &str, value: Value| {
            let mut config = json!({"url": "http://gateway:8080"});
            config[name] = value;
            fields(config)
        };
        assert_eq!(with("url", json!("gateway:8080")), ["url"]);
        assert_eq!(with("namespace", json!("a/b")), ["namespace"]);
        assert_eq!(with("namespace", json!("a.b")), ["namespace"]);
        assert_eq!(with("gateway_timeout", json!("0s")), ["gateway_timeout"]);
        assert_eq!(with("tls", json!({"certificate": "a.pem"})), ["tls.certificate"]);
        let basic = |basic: Value| with("credentials", json!({"basic": basic}));
        assert_eq!(basic(json!({"password": "x"})), [""; 0]);
        assert_eq!(basic(json!({"user": "me", "password_file": "x"})), [""; 0]);
        assert_eq!(basic(json!({"user": "me"})), ["credentials.basic"]);
        assert_eq!(basic(json!({"user": "a:b", "password": "x"})), ["credentials.basic.user"]);
        assert_eq!(basic(json!({"password": ""})), ["credentials.basic.password"]);
        assert_eq!(basic(json!({"password": "x", "password_file": "x"})), ["credentials.basic.password_file"]);
    }

    #[test]
    fn a_password_is_not_shown() {
        let config: Config = serde_json::from_value(
            json!({"url": "http://a", "credentials": {"basic": {"user": "admin", "password": "hunter2"}}}),
        )
        .unwrap();
        let shown = format!("{config:?} {}", serde_json::to_string(&config).unwrap());
        assert!(!shown.contains("hunter2") && shown.contains("***"), "{shown}");
    }
}
