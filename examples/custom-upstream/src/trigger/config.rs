//! The settings of the source.

use std::time::Duration;

use callgate_core::{Invalid, Period, Secret, Settings};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::connection;

/// The shortest time after which another may have a message: it is renewed several times within it.
const SHORTEST: Duration = Duration::from_secs(1);

/// The stream that is consumed, and the server that has it.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TriggerConfig {
    /// Where it is: `redis://host:6379`, with `/1` for another database; `rediss://` for TLS.
    pub url: String,
    /// The user of its access lists. Default: `default`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// The password, as a reference: `"${REDIS_PASSWORD}"`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<Secret>,
    /// The stream. It is made where there is none.
    pub stream: String,
    /// The consumer group, whose gateways share the entries. It is made where there is none, and begins with the oldest entry.
    pub group: String,
    /// For how long an entry may go without a sign of its gateway before another has it. Default: 1m.
    #[serde(default = "a_minute")]
    pub lease: Period,
}

const fn a_minute() -> Period {
    Period::from_secs(60)
}

impl Settings for TriggerConfig {
    fn check(&self) -> Vec<Invalid> {
        let mut found = Vec::from_iter(connection(&self.url, self.user.as_ref(), self.password.as_ref()).err());
        for (field, name) in [("stream", &self.stream), ("group", &self.group)] {
            if name.is_empty() {
                found.push(Invalid::new(format!("a {field} has a name")).at(field));
            }
        }
        if Duration::from(self.lease) < SHORTEST {
            found.push(Invalid::new("a lease takes one second or more").at("lease").hint("write `30s`, or `1m`"));
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn fields(config: Value) -> Vec<String> {
        let config: TriggerConfig = serde_json::from_value(config).unwrap();
        config.check().into_iter().map(|invalid| invalid.field).collect()
    }

    #[test]
    fn what_is_wrong_is_told_at_its_place() {
        let right = json!({"url": "redis://a", "stream": "orders", "group": "gateway"});
        assert_eq!(fields(right), [""; 0]);
        let wrong = json!({"url": "redis://a:b@c", "stream": "", "group": "", "lease": "10ms"});
        assert_eq!(fields(wrong), ["url", "stream", "group", "lease"]);
    }
}
