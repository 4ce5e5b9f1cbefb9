//! The settings of the kind, per upstream.

use callgate_core::{Invalid, Period, Settings};
use callgate_http::{Endpoint, EndpointError, HttpSettings, TlsSettings};
use http::uri::PathAndQuery;
use percent_encoding::{CONTROLS, utf8_percent_encode};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::credentials::Credentials;

/// A function app: all its functions, with the keys or the identity that calls them.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The app's name: `my-app` is at `https://my-app.azurewebsites.net`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub app: Option<String>,
    /// The app's URL instead: a custom domain, a slot, a sovereign cloud, `http://localhost:7071`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// What stands before every function's route, as the app's `host.json` has it; may be empty. Default: `api`.
    pub route_prefix: String,
    /// Keys of the app, or an identity of Microsoft Entra.
    pub credentials: Credentials,
    /// TLS towards the app. The certificate is always verified.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls: Option<TlsSettings>,
    /// How long a new connection may take: name look-up, TCP and TLS together. Default: 5s.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connect_timeout: Option<Period>,
    /// How long an unused connection is kept. Default: 55s.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub idle_timeout: Option<Period>,
    /// How many unused connections each worker keeps. Default: 256.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_idle: Option<usize>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            app: None,
            url: None,
            route_prefix: "api".to_owned(),
            credentials: Credentials::default(),
            tls: None,
            connect_timeout: None,
            idle_timeout: None,
            max_idle: None,
        }
    }
}

impl Config {
    /// Where the app is.
    pub(crate) fn endpoint(&self) -> Result<Endpoint, EndpointError> {
        match (&self.url, &self.app) {
            (Some(url), _) => Endpoint::parse(url),
            (None, app) => {
                let app = app.as_deref().unwrap_or_default();
                Endpoint::parse(&format!("https://{app}.azurewebsites.net"))
            }
        }
    }

    /// What stands before a function's route on this endpoint: empty, or `/...` without a final slash.
    pub(crate) fn base(&self, endpoint: &Endpoint) -> String {
        match self.route_prefix.trim_matches('/') {
            "" => endpoint.base_path().to_owned(),
            prefix => format!("{}/{}", endpoint.base_path(), utf8_percent_encode(prefix, CONTROLS)),
        }
    }

    /// How connections to the app are made.
    pub(crate) fn http(&self) -> HttpSettings {
        HttpSettings {
            tls: self.tls.clone(),
            http2: None,
            proxy: None,
            connect_timeout: self.connect_timeout,
            idle_timeout: self.idle_timeout,
            max_idle: self.max_idle,
        }
    }

    fn check_address(&self, found: &mut Vec<Invalid>) {
        match (&self.app, &self.url) {
            (None, None) => found.push(
                Invalid::new("the function app is missing").hint("add `app: NAME`, or `url: https://host` of the app"),
            ),
            (Some(_), Some(_)) => {
                found.push(Invalid::new("`app` and `url` exclude each other").at("url").hint("keep one of them"));
            }
            (Some(app), None) if !is_app(app) => found.push(
                Invalid::new(format!("`{app}` is no name of a function app"))
                    .at("app")
                    .hint("a name has 2 to 60 letters, digits and hyphens; a whole host is `url: https://host`"),
            ),
            (None, Some(url)) => {
                if let Err(error) = Endpoint::parse(url) {
                    found.push(Invalid::new(error.to_string()).at("url").hint("write `https://host`"));
                }
            }
            (Some(_), None) => {}
        }
    }
}

impl Settings for Config {
    fn check(&self) -> Vec<Invalid> {
        let mut found = self.http().check();
        self.check_address(&mut found);
        if !is_path(&self.route_prefix) {
            let message = format!("`{}` is no part of a path", self.route_prefix);
            let hint = "write it as `host.json` has it (`extensions.http.routePrefix`): `api`, `v1/api`, or `\"\"`";
            found.push(Invalid::new(message).at("route_prefix").hint(hint));
        }
        self.credentials.check(&mut found);
        found
    }
}

fn is_app(name: &str) -> bool {
    (2..=60).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        && !name.starts_with('-')
        && !name.ends_with('-')
}

/// Whether a text can stand in a path as it is: segments without a query, a template or a way up.
pub(crate) fn is_path(text: &str) -> bool {
    let inside = text.trim_matches('/');
    let sendable = format!("/{inside}").parse::<PathAndQuery>().is_ok();
    sendable
        && !inside.contains(['?', '#', '{', '}', '\\', '"', '<', '>', '|', '^', '`'])
        && (inside.is_empty() || inside.split('/').all(|segment| !matches!(segment, "" | "." | "..")))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn fields(config: serde_json::Value) -> Vec<String> {
        let config: Config = serde_json::from_value(config).unwrap();
        config.check().into_iter().map(|invalid| invalid.field).collect()
    }

    fn base(config: serde_json::Value) -> String {
        let config: Config = serde_json::from_value(config).unwrap();
        let endpoint = config.endpoint().unwrap();
        format!("{}://{}{}", endpoint.scheme(), endpoint.authority(), config.base(&endpoint))
    }

    #[test]
    fn an_app_is_named_or_has_a_url() {
        assert_eq!(base(json!({"app": "my-app"})), "https://my-app.azurewebsites.net/api");
        assert_eq!(base(json!({"url": "https://fn.example.com/"})), "https://fn.example.com/api");
        assert_eq!(
            base(json!({"url": "https://gate.example.com/fn", "route_prefix": "/v1/x/"})),
            "https://gate.example.com/fn/v1/x"
        );
        assert_eq!(base(json!({"url": "http://localhost:7071", "route_prefix": ""})), "http://localhost:7071");
    }

    #[test]
    fn what_is_no_address_is_told_at_its_place() {
        assert_eq!(fields(json!({"app": "my-app"})), [""; 0]);
        assert_eq!(fields(json!({})), [""]);
        assert_eq!(fields(json!({"app": "a-b", "url": "https://c"})), ["url"]);
        assert_eq!(fields(json!({"app": "my-app.azurewebsites.net"})), ["app"]);
        assert_eq!(fields(json!({"app": "-a"})), ["app"]);
        assert_eq!(fields(json!({"url": "my-app.azurewebsites.net"})), ["url"]);
        assert_eq!(fields(json!({"url": "https://a", "tls": {"certificate": "c.pem"}})), ["tls.certificate"]);
    }

    #[test]
    fn a_prefix_is_part_of_a_path() {
        for prefix in ["", "/", "api", "v1/api", "a%20b", "a.b"] {
            assert_eq!(fields(json!({"app": "my-app", "route_prefix": prefix})), [""; 0], "{prefix}");
        }
        for prefix in ["a b", "a?b", "a#b", "a//b", "../b", "a/./b", "{x}"] {
            assert_eq!(fields(json!({"app": "my-app", "route_prefix": prefix})), ["route_prefix"], "{prefix}");
        }
    }
}
