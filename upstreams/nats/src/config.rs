//! The settings of the kind, per upstream.

use std::{fs, time::Duration};

use async_nats::{ConnectOptions, ServerAddr};
use callgate_core::{Files, Invalid, Period, Secret, Settings, document::Text};
use callgate_http::TlsSettings;
use callgate_transform::OneOrMany;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A NATS server or cluster, and who the gateway is there.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// `nats://host:4222` or `tls://host:4222`, or a list of them; the port may be left out. Servers that a cluster
    /// announces are used too.
    pub servers: OneOrMany<String>,
    /// Who the gateway is. Default: nobody in particular.
    #[serde(default)]
    pub credentials: Credentials,
    /// TLS, where it needs more than a `tls://` address and the system's authorities. It is always verified.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<Tls>,
    /// The connection's name in the server's monitoring. Default: `callgate`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<Text>,
    /// The prefix of the subjects on which the gateway is answered; its user needs to publish and subscribe below it.
    /// Default: `_INBOX`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inbox_prefix: Option<String>,
    /// How long one attempt to connect may take. Default: 5s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connect_timeout: Option<Period>,
    /// Whether each worker makes a connection of its own for its calls, beside the one that the upstream always has.
    /// `false` keeps to that one, for accounts that may have few connections.
    #[serde(default = "yes")]
    pub connection_per_worker: bool,
}

/// One of: `{token}`, `{user, password}`, `{nkey}`, `{creds_file}`.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Credentials {
    /// A token that all clients share.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token: Option<Secret>,
    /// A user's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<Text>,
    /// The user's password.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password: Option<Secret>,
    /// The seed of a user's nkey: `SU...`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nkey: Option<Secret>,
    /// A file with a user's JWT and seed, as `nsc` writes it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub creds_file: Option<String>,
}

/// Certificates, as PEM files.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Tls {
    /// Authorities to trust instead of the system's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca: Option<String>,
    /// The gateway's own certificate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub certificate: Option<String>,
    /// The certificate's key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub private_key: Option<String>,
    /// Whether the server expects TLS before it says anything (`handshake_first`). Default: no.
    pub first: bool,
}

const fn yes() -> bool {
    true
}

/// Which form of credentials is given.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Identity<'a> {
    Nobody,
    Token(&'a str),
    User(&'a str, &'a str),
    Nkey(&'a str),
    File(&'a str),
}

impl Config {
    /// These servers, and nothing else.
    #[must_use]
    pub fn new(servers: Vec<String>) -> Self {
        Self {
            servers: OneOrMany(servers),
            credentials: Credentials::default(),
            tls: None,
            name: None,
            inbox_prefix: None,
            connect_timeout: None,
            connection_per_worker: true,
        }
    }

    /// The servers' addresses.
    pub(crate) fn addresses(&self) -> Result<Vec<ServerAddr>, Invalid> {
        let parsed = self.servers.iter().map(|server| address(server)).collect::<Result<Vec<_>, _>>();
        match parsed {
            Ok(addresses) if addresses.is_empty() => {
                Err(Invalid::new("no server is named").at("servers").hint("write `servers: nats://host:4222`"))
            }
            other => other,
        }
    }

    /// Reads the files that the settings name, and says what is wrong with them.
    pub(crate) fn read_files(&self, files: &Files) -> Vec<Invalid> {
        let mut found = self.tls.as_ref().map(|tls| tls.files().read_files(files)).unwrap_or_default();
        if let Some(file) = self.credentials.creds_file.as_ref().map(|file| files.file(file)) {
            let read = fs::read_to_string(&file).map_err(|error| format!("{} can't be read: {error}", file.display()));
            let parsed = read.and_then(|text| match ConnectOptions::with_credentials(&text) {
                Ok(_) => Ok(()),
                Err(_) => Err(format!("{} holds no user's JWT and seed, as `nsc` writes them", file.display())),
            });
            found.extend(parsed.err().map(|message| Invalid::new(message).at("credentials.creds_file")));
        }
        found
    }

    /// The prefix of inboxes.
    pub(crate) fn inbox_prefix(&self) -> &str {
        self.inbox_prefix.as_deref().unwrap_or("_INBOX")
    }

    /// How long one attempt to connect may take.
    pub(crate) fn connect_timeout(&self) -> Duration {
        self.connect_timeout.map_or(Duration::from_secs(5), Into::into)
    }
}

fn address(server: &str) -> Result<ServerAddr, Invalid> {
    let wrong = |message: String| {
        Invalid::new(message).at("servers").hint("an address is `nats://host:4222` or `tls://host:4222`")
    };
    // The library has more schemes than were built in.
    if let Some((scheme, _)) = server.split_once("://")
        && !["nats", "tls"].contains(&scheme)
    {
        return Err(wrong(format!("`{scheme}://` is no scheme of a NATS server")));
    }
    // The text may hold a password, so it is not repeated.
    let parsed: ServerAddr = server.parse().map_err(|_| wrong("an entry is no address of a server".to_owned()))?;
    if parsed.username().is_some() || parsed.password().is_some() {
        let message = "an address with a user or a password in it would be shown in logs";
        return Err(Invalid::new(message).at("servers").hint("write them as `credentials: {user, password}`"));
    }
    if parsed.host().is_empty() {
        return Err(wrong(format!("`{server}` names no host")));
    }
    Ok(parsed)
}

impl Credentials {
    /// The one form that is given.
    pub(crate) fn identity(&self) -> Result<Identity<'_>, Invalid> {
        let hint = "one of `{token}`, `{user, password}`, `{nkey}`, `{creds_file}`";
        let user = match (&self.user, &self.password) {
            (Some(user), Some(password)) => Some(Identity::User(user, password.expose())),
            (None, None) => None,
            (Some(_), None) => return Err(Invalid::new("`password` is missing").at("credentials").hint(hint)),
            (None, Some(_)) => return Err(Invalid::new("`user` is missing").at("credentials").hint(hint)),
        };
        let mut given = [
            self.token.as_ref().map(|token| Identity::Token(token.expose())),
            user,
            self.nkey.as_ref().map(|seed| Identity::Nkey(seed.expose())),
            self.creds_file.as_deref().map(Identity::File),
        ]
        .into_iter()
        .flatten();
        match (given.next(), given.next()) {
            (_, Some(_)) => Err(Invalid::new("the gateway can only be one user").at("credentials").hint(hint)),
            (Some(Identity::Nkey(seed)), None) if !is_user_seed(seed) => Err(Invalid::new("this is no seed of a user")
                .at("credentials.nkey")
                .hint("a user's seed begins with `SU` and has 58 characters")),
            (one, None) => Ok(one.unwrap_or(Identity::Nobody)),
        }
    }
}

fn is_user_seed(seed: &str) -> bool {
    seed.len() == 58 && seed.starts_with("SU") && seed.bytes().all(|byte| matches!(byte, b'A'..=b'Z' | b'2'..=b'7'))
}

impl Tls {
    /// The files, as all kinds read them.
    fn files(&self) -> TlsSettings {
        TlsSettings {
            ca: self.ca.as_ref().map(Into::into),
            certificate: self.certificate.as_ref().map(Into::into),
            private_key: self.private_key.as_ref().map(Into::into),
            server_name: None,
        }
    }

    fn check(&self) -> Option<Invalid> {
        match (&self.certificate, &self.private_key) {
            (Some(_), None) => Some(Invalid::new("`private_key` is missing: a certificate has a key").at("tls")),
            (None, Some(_)) => Some(Invalid::new("`certificate` is missing: a key belongs to one").at("tls")),
            _ => None,
        }
    }
}

impl Settings for Config {
    fn check(&self) -> Vec<Invalid> {
        let mut found: Vec<_> = self.addresses().err().into_iter().chain(self.credentials.identity().err()).collect();
        found.extend(self.tls.as_ref().and_then(Tls::check));
        if let Some(prefix) = &self.inbox_prefix
            && let Err(problem) = crate::subject::check(prefix)
        {
            found.push(Invalid::new(format!("`{prefix}` is no prefix of a subject: {problem}")).at("inbox_prefix"));
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn field(value: serde_json::Value) -> Option<String> {
        let config: Config = serde_json::from_value(value).unwrap();
        config.check().into_iter().next().map(|invalid| invalid.field)
    }

    #[test]
    fn one_server_or_several_are_enough() {
        assert_eq!(field(json!({"servers": "nats://broker:4222"})), None);
        assert_eq!(field(json!({"servers": ["nats://a", "tls://b:4333", "c"]})), None);
        assert_eq!(field(json!({"servers": []})).as_deref(), Some("servers"));
        assert_eq!(field(json!({"servers": "amqp://a"})).as_deref(), Some("servers"));
    }

    #[test]
    fn passwords_stay_out_of_addresses() {
        let config: Config = serde_json::from_value(json!({"servers": "nats://me:hush@a"})).unwrap();
        let flaw = config.check().remove(0);
        assert!(flaw.hint.unwrap().contains("credentials") && !flaw.message.contains("hush"));
    }

    #[test]
    fn the_gateway_is_one_user() {
        let with = |credentials| field(json!({"servers": "nats://a", "credentials": credentials}));
        assert_eq!(with(json!({"token": "t"})), None);
        assert_eq!(with(json!({"user": "u", "password": "p"})), None);
        assert_eq!(with(json!({"user": "u"})).as_deref(), Some("credentials"));
        assert_eq!(with(json!({"token": "t", "creds_file": "x"})).as_deref(), Some("credentials"));
        assert_eq!(with(json!({"nkey": "SUABC"})).as_deref(), Some("credentials.nkey"));
    }

    #[test]
    fn certificates_come_in_pairs_and_prefixes_are_subjects() {
        let flaw = |value| field(value);
        assert_eq!(flaw(json!({"servers": "a", "tls": {"certificate": "c"}})).as_deref(), Some("tls"));
        assert_eq!(flaw(json!({"servers": "a", "inbox_prefix": "a.*"})).as_deref(), Some("inbox_prefix"));
    }

    #[test]
    fn secrets_are_not_shown() {
        let credentials = json!({"user": "u", "password": "hush"});
        let config: Config = serde_json::from_value(json!({"servers": "a", "credentials": credentials})).unwrap();
        let shown = format!("{config:?}{}", serde_json::to_string(&config).unwrap());
        assert!(!shown.contains("hush"), "{shown}");
    }
}
