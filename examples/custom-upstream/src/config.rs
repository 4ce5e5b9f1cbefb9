//! The settings of the kind, per upstream.

use callgate_core::{Invalid, Secret, Settings, Size};
use redis::{ConnectionInfo, IntoConnectionInfo};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A Redis server.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Where it is: `redis://host:6379`, with `/1` for another database; `rediss://` for TLS.
    pub url: String,
    /// The user of its access lists. Default: `default`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// The password, as a reference: `"${REDIS_PASSWORD}"`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<Secret>,
    /// The largest payload of a message, below the server's own `proto-max-bulk-len`, at which it ends the connection.
    /// Default: 512MiB, which is the server's default.
    #[serde(default = "half_a_gigabyte")]
    pub max_payload: Size,
}

fn half_a_gigabyte() -> Size {
    Size::from_bytes(512 << 20)
}

/// What connections are made with.
pub(crate) fn connection(
    url: &str,
    user: Option<&String>,
    password: Option<&Secret>,
) -> Result<ConnectionInfo, Invalid> {
    let wrong = || {
        let hint = "write `redis://host:6379`, or `rediss://host:6379` for TLS";
        Invalid::new(format!("`{url}` is no URL of a Redis server")).at("url").hint(hint)
    };
    // A password in the URL would be shown wherever the URL is.
    if url.contains('@') {
        let hint = "leave `user:password@` out, and write `user` and `password: \"${REDIS_PASSWORD}\"`";
        return Err(Invalid::new("the URL has credentials in it").at("url").hint(hint));
    }
    if user.is_some() && password.is_none() {
        return Err(Invalid::new("a user needs a password").at("user").hint("add `password: \"${REDIS_PASSWORD}\"`"));
    }
    let info = url.into_connection_info().map_err(|_| wrong())?;
    let mut settings = info.redis_settings().clone();
    if let Some(user) = user {
        settings = settings.set_username(user);
    }
    if let Some(password) = password {
        settings = settings.set_password(password.expose());
    }
    Ok(info.set_redis_settings(settings))
}

impl Config {
    /// What connections are made with.
    pub(crate) fn connection(&self) -> Result<ConnectionInfo, Invalid> {
        connection(&self.url, self.user.as_ref(), self.password.as_ref())
    }
}

impl Settings for Config {
    fn check(&self) -> Vec<Invalid> {
        self.connection().err().into_iter().collect()
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
        for url in ["redis://127.0.0.1", "redis://cache:6380/2", "rediss://cache.example.com:6379"] {
            assert_eq!(fields(json!({"url": url})), [""; 0], "{url}");
        }
    }

    #[test]
    fn what_is_wrong_is_told_at_its_place() {
        assert_eq!(fields(json!({"url": "http://127.0.0.1"})), ["url"]);
        assert_eq!(fields(json!({"url": "redis://:hush@127.0.0.1"})), ["url"]);
        assert_eq!(fields(json!({"url": "redis://127.0.0.1", "user": "me"})), ["user"]);
    }

    #[test]
    fn a_password_is_not_shown() {
        let config: Config = serde_json::from_value(json!({"url": "redis://a", "password": "hush"})).unwrap();
        let shown = format!("{config:?} {}", serde_json::to_string(&config).unwrap());
        assert!(!shown.contains("hush"), "{shown}");
    }
}
