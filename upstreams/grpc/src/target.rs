//! The settings of a function.

use callgate_core::{Invalid, Settings};
use callgate_transform::{Shape, Tree};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A method of a gRPC service, or the whole service.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Target {
    /// The method: `package.Service/Method`. Without one, requests of gRPC name it by their path, and others by their
    /// path or by the rules of `google.api.http`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// A tree of templates that gives the message. Default: the body, with captures of the path and names of the query
    /// as fields.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<Tree>,
    /// Whether requests that are no gRPC are taken, with their message as JSON. Default: `true`, where the upstream has
    /// descriptors. `false` is for methods that only clients of gRPC can call, as those that stream their requests.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub json: Option<bool>,
}

impl Target {
    pub(crate) fn message(&self) -> Result<Option<Shape>, Invalid> {
        let shape = |tree| Shape::new(tree).map_err(|flaws| Invalid::from(flaws).at("message"));
        self.message.as_ref().map(shape).transpose()
    }

    /// Whether JSON is taken, where it can be.
    pub(crate) fn takes_json(&self) -> bool {
        self.json != Some(false)
    }

    /// What does not go without descriptors.
    pub(crate) fn unfit(&self) -> Vec<Invalid> {
        let given = [("message", self.message.is_some()), ("json", self.json == Some(true))];
        given
            .into_iter()
            .filter(|(_, given)| *given)
            .map(|(field, _)| {
                Invalid::new("without descriptors no message can be made of JSON")
                    .at(field)
                    .hint("add `descriptors: FILE` or `reflection: true` to the upstream")
            })
            .collect()
    }
}

impl Settings for Target {
    fn check(&self) -> Vec<Invalid> {
        let mut found: Vec<_> = self.message().err().into_iter().collect();
        if self.message.is_some() && self.json == Some(false) {
            let message = "`message` makes a message of a request that is no gRPC, and `json: false` takes none";
            found.push(Invalid::new(message).at("json").hint("leave one of them out"));
        }
        match self.method.as_deref() {
            Some(method) if !is_method(method) => found.push(
                Invalid::new(format!("`{method}` is no method"))
                    .at("method")
                    .hint("write `package.Service/Method`, as in `to: upstream/package.Service/Method`"),
            ),
            None if self.message.is_some() => found.push(
                Invalid::new("`message` is the message of one method")
                    .at("message")
                    .hint("name it: `method: package.Service/Method`"),
            ),
            _ => {}
        }
        found
    }
}

/// Whether a text is a service's full name, a slash, and a method's name.
fn is_method(text: &str) -> bool {
    let is_name = |name: &str| {
        let mut bytes = name.bytes();
        bytes.next().is_some_and(|first| first.is_ascii_alphabetic() || first == b'_')
            && bytes.all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
    };
    text.split_once('/').is_some_and(|(service, method)| service.split('.').all(is_name) && is_name(method))
}

impl callgate_core::Target for Target {
    const NAME: Option<&'static str> = Some("method");
    const NEEDS_NAME: bool = false;
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn target(value: Value) -> Target {
        serde_json::from_value(value).unwrap()
    }

    fn fields(found: Vec<Invalid>) -> Vec<String> {
        found.into_iter().map(|invalid| invalid.field).collect()
    }

    #[test]
    fn a_method_is_enough_and_none_is_all_of_them() {
        for right in [json!({"method": "a.b.C_1/D"}), json!({"method": "C/d"}), json!({})] {
            assert!(target(right.clone()).check().is_empty(), "{right}");
            assert!(target(right).unfit().is_empty());
        }
    }

    #[test]
    fn what_is_wrong_is_named() {
        for wrong in ["a.B", "/a.B/C", "a..B/C", "a.B/C/D", "a.B/", "1/C", "a b/C", "{{ x }}/C"] {
            assert_eq!(fields(target(json!({"method": wrong})).check()), ["method"], "{wrong}");
        }
        assert_eq!(fields(target(json!({"message": {"a": 1}})).check()), ["message"]);
        assert_eq!(fields(target(json!({"method": "A/B", "message": "{{ oops("})).check()), ["message"]);
        let both = target(json!({"method": "A/B", "message": {"a": 1}, "json": false}));
        assert_eq!(fields(both.check()), ["json"]);
        assert_eq!(fields(both.unfit()), ["message"]);
    }
}
