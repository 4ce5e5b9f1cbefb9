//! The options of the kind.

use std::{fmt, path::PathBuf};

use callgate_core::{Invalid, Period, Settings};
use callgate_http::{HttpSettings, TlsSettings};
use http::{HeaderName, header};
use schemars::JsonSchema;
use serde::{
    Deserialize, Deserializer, Serialize,
    de::{self, MapAccess, Visitor, value::MapAccessDeserializer},
};

use crate::address::Address;

/// Functions of one project and region, or services at URLs.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The region of first-generation functions, `europe-west1`; with `project` it makes their host.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// The id of the project of first-generation functions.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
    /// The URL of a Cloud Run service or of a second-generation function, or one below which functions are found by
    /// their names.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Who the gateway is: `application_default`, `{file: key.json}`, or `none` for functions that anyone may call.
    pub credentials: Credentials,
    /// The audience of the ID tokens. Default: each function's URL.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub audience: Option<String>,
    /// The header that carries the token. With `x-serverless-authorization` the client's own `authorization` reaches the
    /// function.
    pub token_header: TokenHeader,
    /// TLS towards the functions. The certificate is always verified.
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
    /// How many unused connections each worker keeps per host. Default: 256.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_idle: Option<usize>,
}

/// Where the ID tokens come from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum Credentials {
    /// A name that says it all.
    Named(NamedCredentials),
    /// A file.
    File(CredentialFile),
}

/// Credentials without options.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum NamedCredentials {
    /// As Google's own libraries look for them: `GOOGLE_APPLICATION_CREDENTIALS`, the file of `gcloud auth
    /// application-default login`, the metadata server.
    ApplicationDefault,
    /// No token: the functions allow unauthenticated calls.
    None,
}

/// A JSON file of Google's: a service account's key, or the configuration of an impersonation or a federation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CredentialFile {
    /// The file; relative paths start at the document's folder.
    pub file: PathBuf,
}

/// The header that carries the gateway's token.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum TokenHeader {
    /// The usual one; a client's own is replaced.
    #[default]
    Authorization,
    /// The one that Cloud Run prefers where both are there, and does not pass on to the service.
    XServerlessAuthorization,
}

impl TokenHeader {
    pub(crate) fn name(self) -> HeaderName {
        match self {
            Self::Authorization => header::AUTHORIZATION,
            Self::XServerlessAuthorization => HeaderName::from_static("x-serverless-authorization"),
        }
    }
}

impl Default for Credentials {
    fn default() -> Self {
        Self::Named(NamedCredentials::ApplicationDefault)
    }
}

impl Credentials {
    pub(crate) fn is_none(&self) -> bool {
        *self == Self::Named(NamedCredentials::None)
    }
}

impl Config {
    /// What the names of functions are put after, if the settings say so.
    pub(crate) fn base(&self) -> Option<String> {
        let host = || Some(format!("https://{}-{}.cloudfunctions.net", self.region.as_ref()?, self.project.as_ref()?));
        self.url.clone().or_else(host)
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
        let mut found = self.http().check();
        match (&self.region, &self.project) {
            (Some(_), None) => found.push(
                Invalid::new("a region needs a project").at("region").hint("add `project`, the id of the project"),
            ),
            (None, Some(_)) => found.push(
                Invalid::new("a project needs a region").at("project").hint("add `region`, such as `europe-west1`"),
            ),
            (Some(_), Some(_)) if self.url.is_some() => found.push(
                Invalid::new("`url` and `region` with `project` exclude each other").at("url").hint("keep one of them"),
            ),
            _ => {}
        }
        for (field, value) in [("region", &self.region), ("project", &self.project)] {
            if let Some(value) = value.as_deref().filter(|value| !is_label(value)) {
                let hint = "lower-case letters, digits and hyphens, as `europe-west1` and `my-project-1`";
                found.push(Invalid::new(format!("`{value}` is no {field}")).at(field).hint(hint));
            }
        }
        if let Some(Err(error)) = self.url.as_deref().map(Address::parse) {
            let hint = "write the URL that the console shows: `https://name-abc123-ew.a.run.app`";
            found.push(Invalid::new(error.to_string()).at("url").hint(hint));
        }
        if let Credentials::File(file) = &self.credentials
            && file.file.as_os_str().is_empty()
        {
            found.push(Invalid::new("the file has no name").at("credentials.file"));
        }
        if self.audience.as_deref().is_some_and(|audience| audience.trim().is_empty()) {
            let hint = "leave `audience` out for the function's URL";
            found.push(Invalid::new("the audience is empty").at("audience").hint(hint));
        }
        if self.credentials.is_none() {
            let unused = |field: &str| {
                let hint = format!("leave `{field}` out, or give `credentials`");
                Invalid::new("without credentials there is no token").at(field).hint(hint)
            };
            found.extend(self.audience.is_some().then(|| unused("audience")));
            found.extend((self.token_header != TokenHeader::default()).then(|| unused("token_header")));
        }
        found
    }
}

/// Fits into a label of a host name.
fn is_label(text: &str) -> bool {
    let valid = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=40).contains(&text.len()) && text.bytes().all(valid) && !text.starts_with('-') && !text.ends_with('-')
}

impl<'de> Deserialize<'de> for Credentials {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(CredentialsVisitor)
    }
}

struct CredentialsVisitor;

impl<'de> Visitor<'de> for CredentialsVisitor {
    type Value = Credentials;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("`application_default`, `none` or `{file: key.json}`")
    }

    fn visit_str<E: de::Error>(self, name: &str) -> Result<Credentials, E> {
        match name {
            "application_default" => Ok(Credentials::default()),
            "none" => Ok(Credentials::Named(NamedCredentials::None)),
            _ => Err(E::invalid_value(de::Unexpected::Str(name), &self)),
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Credentials, A::Error> {
        CredentialFile::deserialize(MapAccessDeserializer::new(map)).map(Credentials::File)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn config(value: serde_json::Value) -> Config {
        serde_json::from_value(value).unwrap()
    }

    fn fields(value: serde_json::Value) -> Vec<String> {
        config(value).check().into_iter().map(|invalid| invalid.field).collect()
    }

    #[test]
    fn the_host_comes_from_region_and_project_or_from_a_url() {
        let first = config(json!({"region": "europe-west1", "project": "shop-1"}));
        assert_eq!(first.base().as_deref(), Some("https://europe-west1-shop-1.cloudfunctions.net"));
        assert_eq!(config(json!({"url": "https://a.run.app"})).base().as_deref(), Some("https://a.run.app"));
        assert_eq!(config(json!({})).base(), None);
        assert!(first.check().is_empty() && config(json!({})).check().is_empty());
    }

    #[test]
    fn what_does_not_stand_together_is_said_at_its_place() {
        assert_eq!(fields(json!({"region": "europe-west1"})), ["region"]);
        assert_eq!(fields(json!({"project": "p"})), ["project"]);
        assert_eq!(fields(json!({"region": "r", "project": "p", "url": "https://a"})), ["url"]);
        assert_eq!(fields(json!({"region": "Europe", "project": "a.b"})), ["region", "project"]);
        assert_eq!(fields(json!({"url": "a.run.app"})), ["url"]);
        assert_eq!(fields(json!({"audience": " "})), ["audience"]);
        let nobody = json!({"credentials": "none", "audience": "a", "token_header": "x-serverless-authorization"});
        assert_eq!(fields(nobody), ["audience", "token_header"]);
        assert_eq!(fields(json!({"credentials": {"file": ""}})), ["credentials.file"]);
        assert_eq!(fields(json!({"tls": {"certificate": "c.pem"}})), ["tls.certificate"]);
    }

    #[test]
    fn credentials_have_three_forms() {
        let credentials = |value| serde_json::from_value::<Credentials>(value);
        assert_eq!(credentials(json!("application_default")).unwrap(), Credentials::default());
        assert!(credentials(json!("none")).unwrap().is_none());
        let file = CredentialFile { file: "key.json".into() };
        assert_eq!(credentials(json!({"file": "key.json"})).unwrap(), Credentials::File(file));
        let error = credentials(json!("key.json")).unwrap_err().to_string();
        assert!(error.contains("{file: key.json}"), "{error}");
        assert!(credentials(json!({"fiel": "x"})).unwrap_err().to_string().contains("fiel"));
    }
}
