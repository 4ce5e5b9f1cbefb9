//! Listeners.

mod tls;

use std::{
    borrow::Cow,
    fmt,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    str::FromStr,
    sync::Arc,
};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize, Serializer};

pub use tls::{CertificateFiles, ClientAuth, InvalidTlsVersion, ListenerTls, TlsVersion};

use super::{keep, root, top::Root};
use crate::{
    document::{Flaw, Node, Span},
    edge::IpRange,
};
use tls::TlsSettings;

/// A listener as it stands in the document.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct ListenerSettings {
    /// Address and port, or `unix:` and a path. Default 0.0.0.0:8080.
    address: Address,
    /// TLS with this certificate, or these.
    #[serde(skip_serializing_if = "Option::is_none")]
    tls: Option<TlsSettings>,
    /// The proxies in front whose forwarding headers are believed. On a Unix socket any entry stands for all who may connect.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    trusted_proxies: Vec<IpRange>,
    /// The trusted proxies begin each connection with a PROXY protocol header, version 1 or 2, which says whose it is. A
    /// connection of theirs without one is closed; from others none is read. Default: false.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    proxy_protocol: bool,
}

impl ListenerSettings {
    /// Whether clients may show a certificate.
    pub(super) fn takes_certificates(&self) -> bool {
        self.tls.as_ref().is_some_and(TlsSettings::takes_certificates)
    }
}

/// A listener.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listener {
    /// Its name in the document.
    pub name: Arc<str>,
    /// Where it listens.
    pub address: Address,
    /// TLS, if it speaks TLS; the document's folder stands before paths that were relative.
    pub tls: Option<ListenerTls>,
    /// The proxies whose forwarding headers are believed.
    pub trusted_proxies: Arc<[IpRange]>,
    /// Whether those proxies begin a connection with a PROXY protocol header.
    pub proxy_protocol: bool,
}

/// Where a listener listens.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum Address {
    /// An IP address and a port; port 0 takes a free one. `localhost` is read as 127.0.0.1; no other name is looked up.
    Tcp(SocketAddr),
    /// A Unix socket.
    Unix(PathBuf),
}

/// The text is no address to listen at.
#[derive(Debug, thiserror::Error)]
#[error(
    "`{0}` is not an address: write an IP address and a port like 0.0.0.0:8080 or [::]:8080, localhost:8080 for 127.0.0.1:8080, or unix:/run/callgate.sock"
)]
pub struct InvalidAddress(String);

impl Address {
    /// Whether two addresses can't both be listened at: they are the same, or one stands for all of the machine and covers the
    /// other.
    #[must_use]
    pub fn collides_with(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Tcp(one), Self::Tcp(other)) => {
                let covers = |all: IpAddr, ip: IpAddr| all.is_unspecified() && (all.is_ipv6() || ip.is_ipv4());
                let (a, b) = (one.ip(), other.ip());
                one.port() != 0 && one.port() == other.port() && (a == b || covers(a, b) || covers(b, a))
            }
            (Self::Unix(one), Self::Unix(other)) => one == other,
            (Self::Tcp(_), Self::Unix(_)) | (Self::Unix(_), Self::Tcp(_)) => false,
        }
    }

    /// Whether others than this machine may reach it.
    pub(super) fn is_exposed(&self) -> bool {
        matches!(self, Self::Tcp(address) if !address.ip().is_loopback())
    }
}

impl Default for Address {
    fn default() -> Self {
        Self::Tcp((Ipv4Addr::UNSPECIFIED, 8080).into())
    }
}

impl FromStr for Address {
    type Err = InvalidAddress;

    fn from_str(text: &str) -> Result<Self, InvalidAddress> {
        if let Some(path) = text.strip_prefix("unix:").filter(|path| !path.is_empty()) {
            return Ok(Self::Unix(path.into()));
        }
        let text = match text.strip_prefix("localhost:") {
            Some(port) => Cow::from(format!("127.0.0.1:{port}")),
            None => text.into(),
        };
        text.parse().map(Self::Tcp).map_err(|_| InvalidAddress(text.into_owned()))
    }
}

impl TryFrom<String> for Address {
    type Error = InvalidAddress;

    fn try_from(text: String) -> Result<Self, InvalidAddress> {
        text.parse()
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

impl Serialize for Address {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl JsonSchema for Address {
    fn schema_name() -> Cow<'static, str> {
        "Address".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "description": "An IP address and a port (`localhost` is 127.0.0.1), or `unix:` and the path of a socket",
            "examples": ["0.0.0.0:8080", "unix:/run/callgate.sock"],
        })
    }
}

/// Turns the settings into listeners; two of them, or one and the admin, can't share an address.
pub(super) fn read_all(top: &Root, document: &Node, directory: &Path, flaws: &mut Vec<Flaw>) -> Vec<Listener> {
    let mut listeners: Vec<Listener> = Vec::new();
    for (name, settings) in &top.listeners {
        let path = root().key("listeners").key(name).key("address");
        let refuse = |message: String| Flaw::error(address_of(document, name), &path, message);
        if let Some(former) = listeners.iter().find(|former| former.address.collides_with(&settings.address)) {
            let message = if former.address == settings.address {
                format!("listeners `{}` and `{name}` have the same address {}", former.name, settings.address)
            } else {
                format!(
                    "listeners `{}` and `{name}` can't both listen: of {} and {} one covers the other",
                    former.name, former.address, settings.address
                )
            };
            flaws.push(refuse(message).with_related(address_of(document, &former.name), "the other one"));
        }
        if let Some(admin) = top.admin.as_ref().filter(|admin| admin.collides_with(&settings.address)) {
            let message = if *admin == settings.address {
                format!("the admin address {admin} is a public listener's")
            } else {
                format!(
                    "the admin address {admin} can't be listened at beside {}: one covers the other",
                    settings.address
                )
            };
            let flaw = refuse(message).with_hint("give the admin an address of its own, like 127.0.0.1:9901");
            flaws.push(match document.get("admin") {
                Some(admin) => flaw.with_related(admin.get("address").unwrap_or(admin).at, "the admin's address"),
                None => flaw,
            });
        }
        if settings.proxy_protocol && settings.trusted_proxies.is_empty() {
            let entry = document.get("listeners").and_then(|listeners| listeners.get(name)?.entry("proxy_protocol"));
            let at = entry.map_or(document.at, |(key, _)| key.at);
            let path = root().key("listeners").key(name).key("proxy_protocol");
            let flaw = Flaw::error(at, &path, "nobody is believed whose a connection is");
            flaws.push(flaw.with_hint("name the load balancers: `trusted_proxies: [10.0.0.0/8]`"));
        }
        let node = document.get("listeners").and_then(|listeners| listeners.get(name)?.get("tls"));
        let tls = settings.tls.as_ref().zip(node).and_then(|(tls, node)| {
            keep(tls.checked(directory, node, &root().key("listeners").key(name).key("tls")), flaws)
        });
        listeners.push(Listener {
            name: name.as_str().into(),
            address: settings.address.clone(),
            tls,
            trusted_proxies: settings.trusted_proxies.clone().into(),
            proxy_protocol: settings.proxy_protocol,
        });
    }
    listeners
}

/// Where a listener's address is written, or what is nearest to it: the listener's name, or the document.
fn address_of(document: &Node, name: &str) -> Span {
    match document.get("listeners").and_then(|listeners| listeners.entry(name)) {
        Some((key, listener)) => listener.get("address").map_or(key.at, |address| address.at),
        None => document.at,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_collides_with_those_that_it_covers() {
        let tcp = |text: &str| Address::Tcp(text.parse().unwrap());
        for (one, other, expected) in [
            ("127.0.0.1:80", "127.0.0.1:80", true),
            ("127.0.0.1:80", "127.0.0.2:80", false),
            ("0.0.0.0:80", "127.0.0.1:80", true),
            ("0.0.0.0:80", "127.0.0.1:81", false),
            ("[::]:80", "127.0.0.1:80", true),
            ("0.0.0.0:80", "[::1]:80", false),
            ("0.0.0.0:0", "127.0.0.1:0", false),
        ] {
            assert_eq!(tcp(one).collides_with(&tcp(other)), expected, "{one} {other}");
            assert_eq!(tcp(other).collides_with(&tcp(one)), expected, "{other} {one}");
        }
    }
}
