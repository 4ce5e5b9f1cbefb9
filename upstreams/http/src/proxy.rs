//! A forward proxy on the way to a service: a tunnel by CONNECT, or requests in absolute form.

use std::{borrow::Cow, fmt, io};

use base64::{Engine, engine::general_purpose::STANDARD};
use callgate_core::{Invalid, Secret, document::Text};
use http::{HeaderValue, Uri, header::InvalidHeaderValue, uri::PathAndQuery};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{
    Deserialize, Deserializer, Serialize,
    de::{self, MapAccess, Visitor, value::MapAccessDeserializer},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::endpoint::Endpoint;

/// The longest head of a proxy's answer.
const MAX_HEAD: usize = 16 << 10;

/// A forward proxy: its URL, or `{url, user, password}`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ProxySettings {
    /// The proxy's address: `http://proxy.example.com:3128`.
    pub url: String,
    /// The user to log in as.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<Text>,
    /// The user's password.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password: Option<Secret>,
}

/// A forward proxy, with a login where it wants one.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Fields {
    /// The proxy's address: `http://proxy.example.com:3128`.
    url: String,
    /// The user to log in as.
    #[serde(default)]
    user: Option<Text>,
    /// The user's password.
    #[serde(default)]
    password: Option<Secret>,
}

/// What the schema says of a proxy.
#[derive(JsonSchema)]
#[schemars(untagged)]
#[allow(dead_code, reason = "it stands for the schema alone")]
enum ProxySchema {
    /// The proxy's address: `http://proxy.example.com:3128`.
    Url(String),
    /// With a login.
    Login(Fields),
}

impl JsonSchema for ProxySettings {
    fn schema_name() -> Cow<'static, str> {
        "Proxy".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        ProxySchema::json_schema(generator)
    }
}

impl<'de> Deserialize<'de> for ProxySettings {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Forms;

        impl<'de> Visitor<'de> for Forms {
            type Value = ProxySettings;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a proxy: its URL, or `{url, user, password}`")
            }

            fn visit_str<E: de::Error>(self, url: &str) -> Result<ProxySettings, E> {
                Ok(ProxySettings { url: url.to_owned(), user: None, password: None })
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<ProxySettings, A::Error> {
                let Fields { url, user, password } = Fields::deserialize(MapAccessDeserializer::new(map))?;
                Ok(ProxySettings { url, user, password })
            }
        }

        deserializer.deserialize_any(Forms)
    }
}

impl ProxySettings {
    pub(crate) fn check(&self) -> Option<Invalid> {
        if self.user.is_none() && self.password.is_some() {
            return Some(Invalid::new("a password needs its user").at("proxy.password").hint("add `user`"));
        }
        match Endpoint::parse(&self.url) {
            Err(error) => Some(Invalid::new(error.to_string()).at("proxy").hint("write `http://host:port`")),
            Ok(url) if url.is_tls() || !url.base_path().is_empty() => {
                let message = "a proxy is named by http://, a host and a port; what goes to https services is a \
                               tunnel through it, encrypted from end to end";
                Some(Invalid::new(message).at("proxy").hint("write `http://host:port`"))
            }
            Ok(_) => None,
        }
    }
}

/// A proxy that connections go through.
#[derive(Debug)]
pub(crate) struct Proxy {
    pub(crate) endpoint: Endpoint,
    pub(crate) authorization: Option<HeaderValue>,
}

/// Why a proxy opens no tunnel.
#[derive(Debug, thiserror::Error)]
pub enum ProxyError {
    /// It answered with another status than 200.
    #[error("it answers `{0}`")]
    Refused(String),
    /// It answered with something that is no HTTP.
    #[error("its answer is no HTTP")]
    Malformed,
    /// The connection to it broke.
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl Proxy {
    pub(crate) fn new(settings: &ProxySettings) -> Result<Self, crate::tls::SetupError> {
        let wrong = |error: &dyn fmt::Display| crate::tls::SetupError::Proxy(error.to_string());
        let endpoint = Endpoint::parse(&settings.url).map_err(|error| wrong(&error))?;
        let login = settings.user.as_ref().map(|user| basic(user, settings.password.as_ref())).transpose();
        Ok(Self { endpoint, authorization: login.map_err(|error| wrong(&error))? })
    }

    /// Makes the connection to the proxy one to the service.
    pub(crate) async fn tunnel(&self, stream: &mut TcpStream, to: &Endpoint) -> Result<(), ProxyError> {
        let target = format!("{}:{}", to.authority().host(), to.port());
        let mut request = format!("CONNECT {target} HTTP/1.1\r\nhost: {target}\r\n").into_bytes();
        if let Some(login) = &self.authorization {
            request.extend_from_slice(b"proxy-authorization: ");
            request.extend_from_slice(login.as_bytes());
            request.extend_from_slice(b"\r\n");
        }
        request.extend_from_slice(b"\r\n");
        stream.write_all(&request).await?;
        let mut head = Vec::with_capacity(1024);
        loop {
            if head.len() >= MAX_HEAD {
                return Err(ProxyError::Malformed);
            }
            if stream.read_buf(&mut head).await? == 0 {
                return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
            }
            if let Some(opened) = opened(&head) {
                return opened;
            }
        }
    }

    /// A request's target as this proxy wants it where there is no tunnel.
    pub(crate) fn absolute(to: &Endpoint, target: &Uri) -> Option<Uri> {
        let path = target.path_and_query().map_or("/", PathAndQuery::as_str);
        format!("{}://{}{path}", to.scheme(), to.authority()).parse().ok()
    }
}

/// Whether the answer to CONNECT opens the tunnel; `None` while it is not complete.
fn opened(head: &[u8]) -> Option<Result<(), ProxyError>> {
    let end = head.windows(4).position(|window| window == b"\r\n\r\n")? + 4;
    let line = head.split(|byte| *byte == b'\r').next().unwrap_or_default();
    let line = String::from_utf8_lossy(line);
    let status = line.strip_prefix("HTTP/1.").and_then(|rest| rest.split(' ').nth(1));
    Some(match status {
        // The service speaks only after us, so that nothing may follow the head.
        Some(status) if status.len() == 3 && status.starts_with('2') && end == head.len() => Ok(()),
        Some(status) if status.len() == 3 && !status.starts_with('2') => {
            Err(ProxyError::Refused(line.chars().take(100).filter(|c| !c.is_control()).collect()))
        }
        _ => Err(ProxyError::Malformed),
    })
}

fn basic(user: &str, password: Option<&Secret>) -> Result<HeaderValue, InvalidHeaderValue> {
    let login = STANDARD.encode(format!("{user}:{}", password.map_or("", Secret::expose)));
    let mut value = HeaderValue::try_from(format!("Basic {login}"))?;
    value.set_sensitive(true);
    Ok(value)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn settings(json: &str) -> ProxySettings {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn a_proxy_is_a_url_or_has_a_login() {
        assert_eq!(settings(r#""http://proxy:3128""#).url, "http://proxy:3128");
        let long = settings(r#"{"url": "http://proxy:3128", "user": "gate", "password": "hush"}"#);
        assert_eq!(long.check(), None);
        let proxy = Proxy::new(&long).unwrap();
        assert_eq!(proxy.authorization.as_ref().unwrap(), "Basic Z2F0ZTpodXNo");
        let shown = format!("{long:?} {proxy:?} {}", serde_json::to_string(&long).unwrap());
        assert!(!shown.contains("hush") && !shown.contains("Z2F0"), "{shown}");
    }

    #[test]
    fn what_is_no_proxy_is_said_at_its_place() {
        let field = |json: &str| settings(json).check().map(|invalid| invalid.field);
        assert_eq!(field(r#""proxy:3128""#).as_deref(), Some("proxy"));
        assert_eq!(field(r#""https://proxy:3128""#).as_deref(), Some("proxy"));
        assert_eq!(field(r#""http://proxy:3128/path""#).as_deref(), Some("proxy"));
        assert_eq!(field(r#"{"url": "http://proxy", "password": "p"}"#).as_deref(), Some("proxy.password"));
        assert!(serde_json::from_str::<ProxySettings>(r#"{"url": "http://proxy", "pasword": "p"}"#).is_err());
    }

    #[test]
    fn only_a_bare_success_opens_the_tunnel() {
        assert!(opened(b"HTTP/1.1 200 Connection established\r\nvia: x\r\n").is_none());
        assert!(matches!(opened(b"HTTP/1.1 200 Connection established\r\nvia: x\r\n\r\n"), Some(Ok(()))));
        assert!(matches!(opened(b"HTTP/1.0 200\r\n\r\n"), Some(Ok(()))));
        let refused = opened(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n").unwrap().unwrap_err();
        assert_eq!(refused.to_string(), "it answers `HTTP/1.1 407 Proxy Authentication Required`");
        for wrong in [&b"HTTP/1.1 200 OK\r\n\r\nearly"[..], b"SSH-2.0\r\n\r\n", b"HTTP/1.1 \r\n\r\n"] {
            assert!(matches!(opened(wrong), Some(Err(ProxyError::Malformed))));
        }
    }

    #[test]
    fn the_absolute_form_names_the_service() {
        let endpoint = Endpoint::parse("http://service:8080/base").unwrap();
        let absolute = Proxy::absolute(&endpoint, &Uri::from_static("/base/a?b=c")).unwrap();
        assert_eq!(absolute, "http://service:8080/base/a?b=c");
    }

    proptest! {
        #[test]
        fn any_answer_is_read_or_refused(bytes in any::<Vec<u8>>()) {
            opened(&bytes);
            opened(&[&bytes[..], b"\r\n\r\n"].concat());
        }
    }
}
