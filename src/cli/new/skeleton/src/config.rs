//! The settings of an upstream and of its functions, as the document has them.

use callgate_core::{Invalid, Secret, Settings};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A remote.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Where it is: `host:port`.
    pub address: String,
    /// A secret that each call brings along, as a reference: `"${TOKEN}"`. It is shown nowhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<Secret>,
}

/// A function of it.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Target {
    /// The function's name.
    pub name: String,
}

impl Settings for Config {
    /// What the types can't say. Every complaint names its field, and what would be right.
    fn check(&self) -> Vec<Invalid> {
        let port = self.address.rsplit_once(':').and_then(|(_, port)| port.parse::<u16>().ok());
        if port.is_some() {
            return Vec::new();
        }
        let wrong = Invalid::new(format!("`{}` has no port", self.address)).at("address");
        vec![wrong.hint("write `host:port`, as `127.0.0.1:7000`")]
    }
}

impl Settings for Target {}

impl callgate_core::Target for Target {
    /// `to: remote/hello` is read as `{name: hello}`.
    const NAME: Option<&'static str> = Some("name");
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_address_has_a_port() {
        let config = |address: &str| serde_json::from_value::<Config>(json!({"address": address})).unwrap();
        let check = |address: &str| config(address).check();
        assert!(check("127.0.0.1:7000").is_empty());
        assert_eq!(check("127.0.0.1")[0].field, "address");
    }
}
