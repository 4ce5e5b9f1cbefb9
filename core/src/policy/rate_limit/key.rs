//! Who is counted.

use std::{
    borrow::Cow,
    fmt,
    net::{IpAddr, Ipv6Addr},
};

use http::HeaderMap;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::settings::By;
use crate::policy::auth::{Identity, claim, text};

/// A request as limits look at it.
#[derive(Debug)]
pub(crate) struct Visitor<'a> {
    pub(crate) client: Option<IpAddr>,
    pub(crate) headers: &'a HeaderMap,
    pub(crate) identity: Option<&'a Identity>,
    pub(crate) route: &'a str,
}

/// Requests with the same one share a bucket.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Key<'a> {
    Client(Option<IpAddr>),
    Header(&'a [u8]),
    Claim(Cow<'a, str>),
    Principal(&'a str),
    Route(&'a str),
    All,
}

impl<'a> Visitor<'a> {
    pub(super) fn key(&self, by: &By) -> Key<'a> {
        let found = match by {
            By::Client => None,
            By::All => Some(Key::All),
            By::Route => Some(Key::Route(self.route)),
            By::Header(name) => self.headers.get(&name.0).map(|value| Key::Header(value.as_bytes())),
            By::Principal => self.identity.and_then(Identity::principal).map(Key::Principal),
            By::ApiKey => self.identity.and_then(Identity::api_key).map(Key::Principal),
            By::Claim(name) => {
                let value: Option<&'a Value> = self.identity.and_then(|identity| claim(identity.claims()?, name));
                value.map(|value| Key::Claim(text(value)))
            }
        };
        found.unwrap_or(Key::Client(self.client.map(network)))
    }
}

/// What of an address is one client: whoever has an IPv6 address has the 64 bits behind its network too.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)).into(),
        address @ IpAddr::V4(_) => address,
    }
}

/// The key as a part of a name in Redis: what clients send in is hashed, as it may be long or secret.
impl fmt::Display for Key<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut hashed = |kind: &str, value: &[u8]| {
            let hash = Sha256::digest(value);
            write!(f, "{kind}:")?;
            hash.iter().take(16).try_for_each(|byte| write!(f, "{byte:02x}"))
        };
        match self {
            Key::Header(value) => hashed("header", value),
            Key::Claim(value) => hashed("claim", value.as_bytes()),
            Key::Principal(name) => hashed("principal", name.as_bytes()),
            Key::Client(Some(address)) => write!(f, "client:{address}"),
            Key::Client(None) => f.write_str("client:"),
            Key::Route(route) => write!(f, "route:{route}"),
            Key::All => f.write_str("all"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_can_not_be_told_is_known_by_the_address() {
        let mut headers = HeaderMap::new();
        headers.insert("x-tenant", "acme".parse().unwrap());
        let client = Some("192.0.2.1".parse().unwrap());
        let visitor = Visitor { client, headers: &headers, identity: None, route: "a" };
        let key = |written: serde_json::Value| visitor.key(&serde_json::from_value(written).unwrap());
        assert_eq!(key(serde_json::json!({"header": "x-tenant"})), Key::Header(b"acme"));
        for by in [serde_json::json!({"header": "x-other"}), "principal".into(), serde_json::json!({"claim": "sub"})] {
            assert_eq!(key(by), Key::Client(client));
        }
        assert_eq!((key("route".into()), key("all".into())), (Key::Route("a"), Key::All));
    }

    #[test]
    fn an_ipv6_client_is_its_network() {
        let network = |text: &str| network(text.parse().unwrap()).to_string();
        assert_eq!(network("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::");
        assert_eq!(network("::ffff:192.0.2.1"), "192.0.2.1");
    }

    #[test]
    fn no_value_of_a_client_is_in_a_name() {
        let name = Key::Header(b"secret-token").to_string();
        assert!(name.starts_with("header:") && name.len() == 39 && !name.contains("secret"), "{name}");
    }
}
