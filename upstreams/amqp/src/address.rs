//! URLs of brokers (RabbitMQ URI Specification), read without repeating what they hold: there may be a password in it.

use std::fmt;

use callgate_core::{Invalid, Secret};
use http::Uri;
use percent_encoding::percent_decode_str;

const HINT: &str = "an address is `amqp://host:5672/vhost`, or `amqps://...` for TLS";

/// A broker to connect to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Server {
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) secure: bool,
    pub(crate) vhost: String,
    /// The user of the URL.
    pub(crate) login: Option<Login>,
}

/// Who the gateway is.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Login {
    pub(crate) user: String,
    pub(crate) password: String,
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Login(***)")
    }
}

/// The address as logs show it.
impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.secure { "amqps" } else { "amqp" };
        if self.host.contains(':') {
            write!(f, "{scheme}://[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{scheme}://{}:{}", self.host, self.port)
        }
    }
}

impl Server {
    /// Reads a URL.
    pub(crate) fn parse(url: &Secret) -> Result<Self, Invalid> {
        let wrong = |message: &str| Invalid::new(message).at("url").hint(HINT);
        let uri: Uri = url.expose().parse().map_err(|_| wrong("an entry is no address of a broker"))?;
        let secure = match uri.scheme_str() {
            Some("amqp") => false,
            Some("amqps") => true,
            _ => return Err(wrong("an entry begins with neither `amqp://` nor `amqps://`")),
        };
        if uri.query().is_some() {
            let message = "an entry has parameters (`?...`), which stand beside `url` here";
            return Err(Invalid::new(message).at("url").hint("`heartbeat`, `connect_timeout`, `tls`, `credentials`"));
        }
        let decoded = |text: &str| {
            let text = percent_decode_str(text).decode_utf8();
            text.map(String::from).map_err(|_| wrong("an entry has an escape that is no UTF-8"))
        };
        let authority = uri.authority().ok_or_else(|| wrong("an entry names no host"))?;
        let login = match authority.as_str().rsplit_once('@') {
            None => None,
            Some((login, _)) => {
                let (user, password) = login.split_once(':').unwrap_or((login, ""));
                Some(Login { user: decoded(user)?, password: decoded(password)? })
            }
        };
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        if host.is_empty() {
            return Err(wrong("an entry names no host"));
        }
        let after = authority.as_str().rsplit('@').next().and_then(|rest| rest.strip_prefix(authority.host()));
        let port = match after.unwrap_or_default() {
            "" if secure => 5671,
            "" => 5672,
            port => port[1..].parse().map_err(|_| wrong("an entry has a port that is none"))?,
        };
        let vhost = match uri.path().strip_prefix('/').unwrap_or_default() {
            "" => "/".to_owned(),
            path if path.contains('/') => {
                return Err(wrong("an entry has a `/` in its virtual host").hint("write it as `%2F`"));
            }
            path => decoded(path)?,
        };
        Ok(Self { host, port, secure, vhost, login })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(url: &str) -> Result<Server, Invalid> {
        Server::parse(&Secret::new(url))
    }

    #[test]
    fn an_address_has_all_that_a_connection_needs() {
        let server = parse("amqps://me%40home:p%3Aw@broker.test/orders%2Feu").unwrap();
        assert_eq!((server.host.as_str(), server.port, server.secure), ("broker.test", 5671, true));
        assert_eq!(server.vhost, "orders/eu");
        let login = server.login.unwrap();
        assert_eq!((login.user.as_str(), login.password.as_str()), ("me@home", "p:w"));
        assert_eq!(parse("amqp://broker").unwrap().port, 5672);
        assert_eq!(parse("amqp://broker:1").unwrap().vhost, "/");
        assert_eq!(parse("amqp://broker/").unwrap().vhost, "/");
        assert_eq!(parse("amqp://broker/%2f").unwrap().vhost, "/");
    }

    #[test]
    fn an_address_of_ip_version_6_keeps_its_host() {
        let server = parse("amqp://[::1]:5673").unwrap();
        assert_eq!((server.host.as_str(), server.port), ("::1", 5673));
        assert_eq!(server.to_string(), "amqp://[::1]:5673");
    }

    #[test]
    fn what_is_wrong_is_told_without_the_password() {
        for url in [
            "http://me:hush@broker",
            "broker:5672",
            "me:hush",
            "amqp://me:hush@",
            "amqp://me:hush@broker/a/b",
            "amqp://me:hush@broker?heartbeat=1",
            "amqp://me:hush@broker:99999",
        ] {
            let flaw = parse(url).unwrap_err();
            assert!(!format!("{flaw:?}").contains("hush"), "{flaw:?}");
            assert!(flaw.field == "url" && flaw.hint.is_some(), "{url}: {flaw:?}");
        }
        let shown = format!("{:?}", parse("amqp://me:hush@broker").unwrap());
        assert!(!shown.contains("hush"), "{shown}");
    }
}
