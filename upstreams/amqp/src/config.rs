//! The settings of the kind, per upstream.

use std::time::Duration;

use callgate_core::{Files, Invalid, Period, Secret, Settings, Whose, document::Text};
use callgate_http::TlsSettings;
use callgate_transform::OneOrMany;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    address::{Login, Server},
    declare::Declare,
};

/// How many channels there are unless the document says otherwise.
const CHANNELS: u16 = 4;
/// The same of a worker's own connection, where few messages are under way: on fewer channels, more are confirmed at once.
const CHANNELS_OF_WORKERS: u16 = 1;
/// The most channels: each one costs the broker a process, and a few keep a connection busy.
const MOST_CHANNELS: u16 = 64;

/// A broker of AMQP 0-9-1, and who the gateway is there.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// `amqp://host:5672/vhost` or `amqps://...`, or a list of them: the first that answers is used. It may hold the user
    /// and the password.
    pub url: OneOrMany<Secret>,
    /// The exchange that functions publish to. Default: the default exchange, where a routing key is a queue's name.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub exchange: String,
    /// Exchanges, queues and bindings to make where they are missing. Default: nothing is made.
    #[serde(default, skip_serializing_if = "Declare::is_empty")]
    pub declare: Declare,
    /// How many channels of a connection share its messages, 1 to 64. Each carries many at once. Default: 4, and 1 of a
    /// worker's own connection.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channels: Option<u16>,
    /// Who the gateway is. Default: the user of the URL, else `guest`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credentials: Option<Credentials>,
    /// TLS for `amqps`, where it needs more than the system's authorities. It is always verified.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<TlsSettings>,
    /// The connection's name in the broker's monitoring. Default: `callgate`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<Text>,
    /// How often the two sides show that they are there; a silent broker is given up after two of them. Default: 10s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heartbeat: Option<Period>,
    /// How long one attempt to connect may take. Default: 5s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connect_timeout: Option<Period>,
    /// Whether each worker makes a connection of its own for its calls, beside the one that the upstream always has.
    /// `false` keeps to that one, for users that may have few connections.
    #[serde(default = "yes")]
    pub connection_per_worker: bool,
}

const fn yes() -> bool {
    true
}

/// One of: `{user, password}`, `{external: true}`.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Credentials {
    /// A user's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<Text>,
    /// The user's password.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password: Option<Secret>,
    /// The broker knows the gateway by its TLS certificate (SASL EXTERNAL).
    pub external: bool,
}

/// How the gateway says who it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Identity {
    Plain(Login),
    External,
}

impl Config {
    /// The brokers, in the order in which they are tried.
    pub(crate) fn servers(&self) -> Result<Vec<Server>, Invalid> {
        let servers = self.url.iter().map(Server::parse).collect::<Result<Vec<_>, _>>()?;
        if servers.is_empty() {
            return Err(Invalid::new("no broker is named").at("url").hint("write `url: amqp://host:5672`"));
        }
        Ok(servers)
    }

    /// Who the gateway is at a broker.
    pub(crate) fn identity(&self, server: &Server) -> Result<Identity, Invalid> {
        let hint = "one of `{user, password}`, `{external: true}`";
        let wrong = |message: &str| Invalid::new(message).at("credentials").hint(hint);
        let Some(credentials) = &self.credentials else {
            let guest = || Login { user: "guest".to_owned(), password: "guest".to_owned() };
            return Ok(Identity::Plain(server.login.clone().unwrap_or_else(guest)));
        };
        if server.login.is_some() {
            return Err(wrong("`url` names a user too, and the gateway can only be one"));
        }
        match (&credentials.user, &credentials.password, credentials.external) {
            (Some(user), Some(password), false) => {
                Ok(Identity::Plain(Login { user: user.to_string(), password: password.expose().to_owned() }))
            }
            (None, None, true) => {
                let certificate = self.tls.as_ref().is_some_and(|tls| tls.certificate.is_some());
                if server.secure && certificate {
                    return Ok(Identity::External);
                }
                Err(wrong("`external` needs `amqps` and `tls: {certificate, private_key}`"))
            }
            (None, None, false) => Err(wrong("nobody is named")),
            (Some(_), None, false) => Err(wrong("`password` is missing")),
            (None, Some(_), false) => Err(wrong("`user` is missing")),
            _ => Err(wrong("a certificate stands for the user, so no other is named")),
        }
    }

    /// Reads the files that the settings name, and says what is wrong with them.
    pub(crate) fn read_files(&self, files: &Files) -> Vec<Invalid> {
        self.tls.as_ref().map(|tls| tls.read_files(files)).unwrap_or_default()
    }

    /// How many channels share the messages of a connection.
    pub(crate) fn channels(&self, whose: Whose) -> u16 {
        self.channels.unwrap_or(match whose {
            Whose::Common => CHANNELS,
            Whose::Worker => CHANNELS_OF_WORKERS,
        })
    }

    /// How often the two sides show that they are there, in whole seconds as the protocol has them.
    pub(crate) fn heartbeat(&self) -> u16 {
        let seconds = self.heartbeat.map_or(10, |heartbeat| heartbeat.get().as_secs());
        u16::try_from(seconds).unwrap_or(u16::MAX).max(1)
    }

    /// How long one attempt to connect may take.
    pub(crate) fn connect_timeout(&self) -> Duration {
        self.connect_timeout.map_or(Duration::from_secs(5), Into::into)
    }
}

impl Settings for Config {
    fn check(&self) -> Vec<Invalid> {
        let mut found = self.declare.check();
        let servers = self.servers().unwrap_or_else(|flaw| {
            found.push(flaw);
            Vec::new()
        });
        found.extend(servers.iter().find_map(|server| self.identity(server).err()));
        if let Some(tls) = &self.tls {
            found.extend(tls.check());
            if !servers.is_empty() && !servers.iter().any(|server| server.secure) {
                let message = "no broker is connected to by TLS";
                found.push(Invalid::new(message).at("tls").hint("begin the address with `amqps://`"));
            }
        }
        if let Some(channels) = self.channels.filter(|channels| !(1..=MOST_CHANNELS).contains(channels)) {
            let message = format!("{channels} is no number of channels");
            found.push(Invalid::new(message).at("channels").hint(format!("1 to {MOST_CHANNELS}")));
        }
        if let Some(heartbeat) = self.heartbeat
            && !(1..=3600).contains(&heartbeat.get().as_secs())
        {
            found.push(Invalid::new("a heartbeat takes whole seconds").at("heartbeat").hint("`1s` to `1h`"));
        }
        found.extend(crate::key::exchange_flaw(&self.exchange).map(|flaw| flaw.at("exchange")));
        found
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn fields(value: serde_json::Value) -> Vec<String> {
        let config: Config = serde_json::from_value(value).unwrap();
        config.check().into_iter().map(|invalid| invalid.field).collect()
    }

    #[test]
    fn one_broker_or_several_are_enough() {
        assert!(fields(json!({"url": "amqp://broker"})).is_empty());
        assert!(fields(json!({"url": ["amqp://a", "amqps://b/v"], "exchange": "events", "channels": 64})).is_empty());
        assert_eq!(fields(json!({"url": []})), ["url"]);
        assert_eq!(fields(json!({"url": "nats://a"})), ["url"]);
    }

    #[test]
    fn the_gateway_is_one_user() {
        let with = |url: &str, credentials| fields(json!({"url": url, "credentials": credentials}));
        assert!(with("amqp://a", json!({"user": "u", "password": "p"})).is_empty());
        assert_eq!(with("amqp://u:p@a", json!({"user": "u", "password": "p"})), ["credentials"]);
        assert_eq!(with("amqp://a", json!({"user": "u"})), ["credentials"]);
        assert_eq!(with("amqp://a", json!({})), ["credentials"]);
        assert_eq!(with("amqps://a", json!({"external": true})), ["credentials"]);
        let config: Config = serde_json::from_value(json!({"url": "amqp://u:p%40w@a"})).unwrap();
        let identity = config.identity(&config.servers().unwrap()[0]).unwrap();
        assert_eq!(identity, Identity::Plain(Login { user: "u".into(), password: "p@w".into() }));
    }

    #[test]
    fn options_have_their_limits() {
        assert_eq!(fields(json!({"url": "amqp://a", "channels": 0})), ["channels"]);
        assert_eq!(fields(json!({"url": "amqp://a", "channels": 65})), ["channels"]);
        assert_eq!(fields(json!({"url": "amqp://a", "heartbeat": "10ms"})), ["heartbeat"]);
        assert_eq!(fields(json!({"url": "amqp://a", "tls": {}})), ["tls"]);
        assert_eq!(fields(json!({"url": "amqps://a", "tls": {"certificate": "c"}})), ["tls.certificate"]);
        assert_eq!(fields(json!({"url": "amqp://a", "exchange": "x".repeat(200)})).len(), 0);
        assert_eq!(fields(json!({"url": "amqp://a", "exchange": "x".repeat(300)})), ["exchange"]);
    }

    #[test]
    fn the_password_is_shown_nowhere() {
        let config: Config = serde_json::from_value(json!({"url": "amqp://me:hush@a"})).unwrap();
        let shown = format!("{config:?} {}", serde_json::to_string(&config).unwrap());
        assert!(!shown.contains("hush"), "{shown}");
    }
}
