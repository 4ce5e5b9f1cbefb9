//! The options of a function.

use callgate_core::{Invalid, Settings};
use callgate_transform::{CloudEventSettings, CloudEvents};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::address::Address;

/// A function or a service, and how it is called.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Target {
    /// The function's name, which is put after the upstream's address. Without it the function is at the upstream's
    /// `url` itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The function's own URL, wherever that is; the name is then a mere label.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Whether the route's tail capture is put after the function's path.
    pub path: PathMode,
    /// What the function is sent.
    pub payload: Payload,
    /// With `payload: cloudevent`: the event as one JSON document, instead of attributes in headers.
    pub structured: bool,
    /// Templates for the attributes of events that the gateway makes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cloudevent: Option<CloudEventSettings>,
}

/// What becomes of the path's tail.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PathMode {
    /// The tail capture (`{*rest}`) goes after the function's own path; without one nothing is added.
    #[default]
    Append,
    /// The function's own path, whatever was asked for.
    Fixed,
}

/// What a function is sent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Payload {
    /// The request: for HTTP functions.
    #[default]
    Http,
    /// A CloudEvent made of the request, by POST: for event functions. A CloudEvent of the client's own stays what it is.
    Cloudevent,
}

impl Target {
    /// How requests become events; `None` when they don't.
    pub(crate) fn events(&self) -> Result<Option<CloudEvents>, Invalid> {
        if self.payload != Payload::Cloudevent {
            return Ok(None);
        }
        let settings = self.cloudevent.clone().unwrap_or_default();
        CloudEvents::new(&settings, self.structured).map(Some).map_err(|flaws| Invalid::from(flaws).at("cloudevent"))
    }

    /// The function's name for the log.
    pub(crate) fn label(&self) -> Option<&str> {
        self.name.as_deref().or(self.url.as_deref())
    }
}

impl Settings for Target {
    fn check(&self) -> Vec<Invalid> {
        let mut found = Vec::new();
        if let (Some(name), None) = (&self.name, &self.url) {
            found.extend(misnamed(name));
        }
        if let Some(Err(error)) = self.url.as_deref().map(Address::parse) {
            let hint = "write the URL that the console shows: `https://name-abc123-ew.a.run.app`";
            found.push(Invalid::new(error.to_string()).at("url").hint(hint));
        }
        if self.payload == Payload::Http {
            let unused = |field: &str| {
                let hint = format!("add `payload: cloudevent`, or leave `{field}` out");
                Invalid::new("the function is sent no event").at(field).hint(hint)
            };
            found.extend(self.structured.then(|| unused("structured")));
            found.extend(self.cloudevent.is_some().then(|| unused("cloudevent")));
        } else {
            found.extend(self.events().err());
        }
        found
    }
}

impl callgate_core::Target for Target {
    const NAME: Option<&'static str> = Some("name");
    const NEEDS_NAME: bool = false;
}

/// Why a text is no function's name.
fn misnamed(name: &str) -> Option<Invalid> {
    let hint = if name.contains("{{") || name.contains("{%") {
        "name each function in a route of its own: a template here would let clients choose what is called"
    } else {
        "a name has letters, digits, `-`, `_`, `.` and `~`; a function elsewhere has its `url`"
    };
    let valid = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
    let wrong = name.is_empty() || name.bytes().all(|byte| byte == b'.') || !name.bytes().all(valid);
    wrong.then(|| Invalid::new(format!("`{name}` is no function's name")).at("name").hint(hint))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn fields(value: serde_json::Value) -> Vec<String> {
        let target: Target = serde_json::from_value(value).unwrap();
        target.check().into_iter().map(|invalid| invalid.field).collect()
    }

    #[test]
    fn a_name_or_a_url_is_enough() {
        let fine: [&str; 0] = [];
        assert_eq!(fields(json!({"name": "hello-world_2"})), fine);
        assert_eq!(fields(json!({"name": "any name", "url": "https://a.run.app/x"})), fine);
        assert_eq!(fields(json!({})), fine);
        assert_eq!(
            fields(json!({"name": "e", "payload": "cloudevent", "cloudevent": {"type": "a.{{ method }}"}})),
            fine
        );
    }

    #[test]
    fn what_is_wrong_is_said_at_its_place() {
        for name in ["", "..", "a/b", "a b", "{{ params.x }}", "a?b", "a:b"] {
            assert_eq!(fields(json!({"name": name})), ["name"], "{name}");
        }
        assert_eq!(fields(json!({"url": "a.run.app"})), ["url"]);
        assert_eq!(fields(json!({"name": "a", "structured": true, "cloudevent": {}})), ["structured", "cloudevent"]);
        let event =
            json!({"name": "a", "payload": "cloudevent", "cloudevent": {"type": "{{ oops", "id": "{{ nope() }}"}});
        assert_eq!(fields(event), ["cloudevent"]);
    }

    #[test]
    fn a_template_is_no_name_and_is_told_why() {
        let target: Target = serde_json::from_value(json!({"name": "f-{{ params.x }}"})).unwrap();
        assert!(target.check()[0].hint.as_deref().unwrap().contains("a route of its own"));
    }
}
