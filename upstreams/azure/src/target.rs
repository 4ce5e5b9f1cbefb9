//! The settings of a function.

use callgate_core::{Invalid, Settings};
use callgate_transform::{Located, Text};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{config::is_path, credentials::AuthLevel, route::Templated};

/// A function with an HTTP trigger.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Target {
    /// The function's name, which its key goes by.
    pub name: String,
    /// The function's route, as its trigger has it, where that is not its name: `orders/list`. A template is confined
    /// by the text that it begins with, or by `allow`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub route: Option<Located<Text>>,
    /// Globs of the routes that a template may render.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub allow: Vec<Located<String>>,
    /// What follows the route.
    #[serde(default)]
    pub path: Path,
    /// Which key the function asks for. Default: `function`, as in Azure; `anonymous` where the upstream's credentials
    /// are `entra` alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auth_level: Option<AuthLevel>,
}

/// What follows a function's own path.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Path {
    /// What the route's tail capture `{*rest}` took; nothing without one.
    #[default]
    Append,
    /// Nothing.
    Fixed,
}

impl Target {
    /// The route, wherever it is named.
    pub(crate) fn route(&self) -> &str {
        self.route.as_ref().map_or(&self.name, |route| route.value.as_str())
    }
}

impl Settings for Target {
    fn check(&self) -> Vec<Invalid> {
        let mut found = Vec::new();
        if !is_name(&self.name) {
            let message = format!("`{}` is no name of a function", self.name);
            let hint =
                "a name has letters, digits, `-` and `_`; a route of its own is `function: NAME` with `route: ...`";
            found.push(Invalid::new(message).at("name").hint(hint));
        }
        match &self.route {
            Some(route) if Templated::is(route.value.as_str()) => {
                found.extend(Templated::compile(route, &self.allow).err())
            }
            Some(_) if !is_path(self.route()) || self.route().trim_matches('/').is_empty() => {
                let message = format!("`{}` is no route that can be called", self.route());
                let hint = "fill in what the trigger's route captures: `orders/{{ params.id }}`, \
                            or stop before it and let `path: append` add the rest";
                found.push(Invalid::new(message).at("route").hint(hint));
            }
            _ if !self.allow.is_empty() => {
                let message = "the route is no template, so there is nothing to confine";
                found.push(Invalid::new(message).at("allow").hint("leave `allow` out"));
            }
            _ => {}
        }
        found
    }
}

impl callgate_core::Target for Target {
    const NAME: Option<&'static str> = Some("name");
}

/// The names that Azure gives to functions.
fn is_name(text: &str) -> bool {
    (1..=127).contains(&text.len())
        && text.starts_with(|first: char| first.is_ascii_alphabetic())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn fields(target: serde_json::Value) -> Vec<String> {
        let target: Target = serde_json::from_value(target).unwrap();
        target.check().into_iter().map(|invalid| invalid.field).collect()
    }

    #[test]
    fn a_name_is_enough() {
        assert_eq!(fields(json!({"name": "hello"})), [""; 0]);
        let target: Target = serde_json::from_value(json!({"name": "hello"})).unwrap();
        assert_eq!((target.route(), target.path, target.auth_level), ("hello", Path::Append, None));
    }

    #[test]
    fn names_are_azures_and_may_hold_no_template() {
        for name in ["a/b", "1a", "", "a.b", "{{ params.x }}", "a b"] {
            assert_eq!(fields(json!({"name": name})), ["name"], "{name}");
        }
    }

    #[test]
    fn a_route_is_a_path_or_a_confined_template() {
        for route in ["orders/list", "/orders", "a.b/c"] {
            assert_eq!(fields(json!({"name": "f", "route": route})), [""; 0], "{route}");
        }
        for route in
            ["", "/", "orders/{id}", "orders?x=1", "a//b", "../admin", "orders/{{ params.id", "{{ params.id }}"]
        {
            assert_eq!(fields(json!({"name": "f", "route": route})), ["route"], "{route}");
        }
        assert_eq!(fields(json!({"name": "f", "route": "orders/{{ params.id }}"})), [""; 0]);
        assert_eq!(fields(json!({"name": "f", "route": "{{ params.id }}", "allow": ["a-*"]})), [""; 0]);
        assert_eq!(fields(json!({"name": "f", "route": "orders", "allow": ["a-*"]})), ["allow"]);
        assert_eq!(fields(json!({"name": "f", "allow": ["a-*"]})), ["allow"]);
    }
}
