//! What the gateway shows to the app: keys, and the order in which they serve.

use std::collections::BTreeMap;

use callgate_core::{Invalid, Secret};
use http::HeaderValue;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::identity::Entra;

/// Keys of the app: `{function_keys, host_key, master_key}`; or `{entra: ...}`. Empty for anonymous functions.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Credentials {
    /// Keys of single functions, by the function's name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub function_keys: BTreeMap<String, Secret>,
    /// A host key: it opens every function of the level `function`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host_key: Option<Secret>,
    /// The master key (`_master`): it opens everything, the app's administration too.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub master_key: Option<Secret>,
    /// An identity of Microsoft Entra, for apps that require sign-in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub entra: Option<Entra>,
}

/// Which key a function asks for, as its code says (`authLevel`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AuthLevel {
    /// No key.
    Anonymous,
    /// The function's own key, else the host key, else the master key.
    Function,
    /// The master key alone.
    Admin,
}

/// There is no key that a function's level accepts.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NoKey {
    #[error(
        "the function `{0}` asks for a key, and there is none for it: no key of its own, no host key, no master key"
    )]
    Function(String),
    #[error("the function `{0}` has the level `admin`, which takes the master key alone, and there is none")]
    Admin(String),
}

impl NoKey {
    pub(crate) fn hint(&self) -> String {
        match self {
            Self::Function(name) => format!(
                "add `credentials: {{function_keys: {{{name}: \"${{KEY}}\"}}}}` or `host_key` to the upstream, \
                 or say `auth_level: anonymous`"
            ),
            Self::Admin(_) => "add `credentials: {master_key: \"${KEY}\"}` to the upstream".to_owned(),
        }
    }
}

impl Credentials {
    /// The level of functions that name none: as in Azure a key is asked for, unless an identity alone is there.
    pub(crate) fn default_level(&self) -> AuthLevel {
        if self.entra.is_some() && !self.has_keys() { AuthLevel::Anonymous } else { AuthLevel::Function }
    }

    /// The key that a function of this name and level is called with.
    pub(crate) fn key(&self, name: &str, level: AuthLevel) -> Result<Option<&Secret>, NoKey> {
        let found = match level {
            AuthLevel::Anonymous => return Ok(None),
            AuthLevel::Function => self.own(name).or(self.host_key.as_ref()).or(self.master_key.as_ref()),
            AuthLevel::Admin => self.master_key.as_ref(),
        };
        match (found, level) {
            (Some(key), _) => Ok(Some(key)),
            (None, AuthLevel::Admin) => Err(NoKey::Admin(name.to_owned())),
            (None, _) => Err(NoKey::Function(name.to_owned())),
        }
    }

    /// The function's own key. Azure takes the names of functions in any case.
    fn own(&self, name: &str) -> Option<&Secret> {
        let other_case =
            || self.function_keys.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, key)| key);
        self.function_keys.get(name).or_else(other_case)
    }

    /// Whether anything secret is sent to the app.
    pub(crate) fn are_shown(&self) -> bool {
        self.has_keys() || self.entra.is_some()
    }

    fn has_keys(&self) -> bool {
        self.host_key.is_some() || self.master_key.is_some() || !self.function_keys.is_empty()
    }

    pub(crate) fn check(&self, found: &mut Vec<Invalid>) {
        let own = self.function_keys.iter().map(|(name, key)| (format!("function_keys.{name}"), key));
        let host = self.host_key.iter().map(|key| ("host_key".to_owned(), key));
        let master = self.master_key.iter().map(|key| ("master_key".to_owned(), key));
        for (field, key) in own.chain(host).chain(master) {
            if let Some(flaw) = flaw_of(key) {
                found.push(Invalid::new(format!("the key {flaw}")).at(format!("credentials.{field}")));
            }
        }
        if let Some(entra) = &self.entra {
            entra.check(found);
        }
    }
}

/// What is wrong with a key, if anything; never the key itself.
fn flaw_of(key: &Secret) -> Option<&'static str> {
    if key.expose().trim().is_empty() {
        return Some("is empty");
    }
    match HeaderValue::from_str(key.expose()) {
        Ok(_) if key.expose().trim() == key.expose() => None,
        Ok(_) => Some("has white space around it"),
        Err(_) => Some("holds a character that no HTTP header may hold"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn credentials(value: serde_json::Value) -> Credentials {
        serde_json::from_value(value).unwrap()
    }

    fn key(credentials: &Credentials, name: &str, level: AuthLevel) -> Option<String> {
        credentials.key(name, level).unwrap().map(|key| key.expose().to_owned())
    }

    #[test]
    fn a_function_takes_its_own_key_then_the_hosts_then_the_masters() {
        let all = credentials(json!({"function_keys": {"hello": "own"}, "host_key": "host", "master_key": "master"}));
        assert_eq!(key(&all, "hello", AuthLevel::Function).as_deref(), Some("own"));
        assert_eq!(key(&all, "HELLO", AuthLevel::Function).as_deref(), Some("own"));
        assert_eq!(key(&all, "other", AuthLevel::Function).as_deref(), Some("host"));
        let master = credentials(json!({"function_keys": {"hello": "own"}, "master_key": "master"}));
        assert_eq!(key(&master, "other", AuthLevel::Function).as_deref(), Some("master"));
    }

    #[test]
    fn admin_takes_the_master_key_alone() {
        let all = credentials(json!({"function_keys": {"adm": "own"}, "host_key": "host", "master_key": "master"}));
        assert_eq!(key(&all, "adm", AuthLevel::Admin).as_deref(), Some("master"));
        let without = credentials(json!({"function_keys": {"adm": "own"}, "host_key": "host"}));
        assert_eq!(without.key("adm", AuthLevel::Admin), Err(NoKey::Admin("adm".to_owned())));
    }

    #[test]
    fn anonymous_takes_none_and_a_missing_one_is_said() {
        let all = credentials(json!({"function_keys": {"hello": "own"}, "host_key": "host"}));
        assert_eq!(key(&all, "hello", AuthLevel::Anonymous), None);
        let other = credentials(json!({"function_keys": {"hello": "own"}}));
        let missing = other.key("helo", AuthLevel::Function).unwrap_err();
        assert!(missing.to_string().contains("`helo`") && missing.hint().contains("{helo: \"${KEY}\"}"), "{missing}");
    }

    #[test]
    fn an_identity_alone_means_functions_without_keys() {
        let entra = json!({"audience": "api://a", "managed_identity": true});
        assert_eq!(credentials(json!({})).default_level(), AuthLevel::Function);
        assert_eq!(credentials(json!({"entra": entra})).default_level(), AuthLevel::Anonymous);
        assert_eq!(credentials(json!({"entra": entra, "host_key": "h"})).default_level(), AuthLevel::Function);
    }

    #[test]
    fn keys_that_cannot_be_sent_are_told_without_showing_them() {
        let wrong = credentials(
            json!({"function_keys": {"a": "hu\nsh", "b": ""}, "host_key": " hush", "master_key": "fine=="}),
        );
        let mut found = Vec::new();
        wrong.check(&mut found);
        let fields: Vec<_> = found.iter().map(|invalid| invalid.field.as_str()).collect();
        assert_eq!(fields, ["credentials.function_keys.a", "credentials.function_keys.b", "credentials.host_key"]);
        assert!(!format!("{found:?} {wrong:?} {}", serde_json::to_string(&wrong).unwrap()).contains("hush"));
    }
}
