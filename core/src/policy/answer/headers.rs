//! `headers`: what every request and every answer of a route gets or loses.

use std::collections::BTreeMap;

use http::{HeaderMap, HeaderName, HeaderValue};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, de::Error};

use crate::policy::settings::Inherit;

/// Headers that every request and every answer of a route gets or loses: constants, without templates.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct HeaderSettings {
    /// Those of requests, before all transformations.
    #[serde(skip_serializing_if = "Option::is_none")]
    request: Option<Edits>,
    /// Those of answers, after all transformations; the gateway's own failures have them too.
    #[serde(skip_serializing_if = "Option::is_none")]
    response: Option<Edits>,
}

/// Changes of headers: those in `remove` go first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Edits {
    /// Headers that are set, in the place of what was there.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", deserialize_with = "headers")]
    set: BTreeMap<String, String>,
    /// Headers that are removed, by name.
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "names")]
    remove: Vec<String>,
}

fn name<E: Error>(text: &str) -> Result<HeaderName, E> {
    let name = HeaderName::try_from(text).map_err(|_| E::custom(format!("`{text}` is not the name of a header")))?;
    let framing = ["connection", "content-length", "host", "te", "trailer", "transfer-encoding", "upgrade"];
    if framing.contains(&name.as_str()) {
        return Err(E::custom(format!("`{name}` is the gateway's own business")));
    }
    Ok(name)
}

fn headers<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<String, String>, D::Error> {
    let given = BTreeMap::<String, String>::deserialize(deserializer)?;
    for (key, value) in &given {
        name::<D::Error>(key)?;
        HeaderValue::try_from(value)
            .map_err(|_| D::Error::custom(format!("the value of `{key}` cannot stand in a header")))?;
    }
    Ok(given)
}

fn names<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    let given = Vec::<String>::deserialize(deserializer)?;
    given.iter().try_for_each(|text| name::<D::Error>(text).map(drop))?;
    Ok(given)
}

impl Inherit for Edits {
    fn inherit(self, outer: &Self) -> Self {
        let mut merged = outer.clone();
        // What one level removes, a level within may set.
        merged.remove.retain(|name| !self.set.keys().any(|own| own.eq_ignore_ascii_case(name)));
        merged.set.retain(|name, _| {
            let same = |own: &String| own.eq_ignore_ascii_case(name);
            !self.set.keys().any(same) && !self.remove.iter().any(same)
        });
        merged.set.extend(self.set);
        merged.remove.extend(self.remove);
        merged
    }
}

impl Inherit for HeaderSettings {
    fn inherit(self, outer: &Self) -> Self {
        Self { request: self.request.inherit(&outer.request), response: self.response.inherit(&outer.response) }
    }
}

impl HeaderSettings {
    pub(super) fn resolve(&self) -> HeaderEdits {
        HeaderEdits {
            request: self.request.as_ref().map(Resolved::new).unwrap_or_default(),
            response: self.response.as_ref().map(Resolved::new).unwrap_or_default(),
        }
    }
}

/// `headers` of a route, ready.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct HeaderEdits {
    request: Resolved,
    response: Resolved,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Resolved {
    set: Vec<(HeaderName, HeaderValue)>,
    remove: Vec<HeaderName>,
}

impl Resolved {
    /// What is no header was refused when the settings were read.
    fn new(edits: &Edits) -> Self {
        let set = |(name, value): (&String, &String)| {
            Some((HeaderName::try_from(name).ok()?, HeaderValue::try_from(value).ok()?))
        };
        let remove = |name: &String| HeaderName::try_from(name).ok();
        Self {
            set: edits.set.iter().filter_map(set).collect(),
            remove: edits.remove.iter().filter_map(remove).collect(),
        }
    }

    fn apply(&self, headers: &mut HeaderMap) {
        for name in &self.remove {
            headers.remove(name);
        }
        for (name, value) in &self.set {
            headers.insert(name, value.clone());
        }
    }
}

impl HeaderEdits {
    pub(super) fn is_empty(&self) -> bool {
        self.request == Resolved::default() && self.response == Resolved::default()
    }

    pub(super) fn request(&self, headers: &mut HeaderMap) {
        self.request.apply(headers);
    }

    pub(super) fn response(&self, headers: &mut HeaderMap) {
        self.response.apply(headers);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{from_value, json, to_value};

    #[test]
    fn a_level_within_sets_what_one_around_removes_and_the_other_way_round() {
        let outer = json!({"response": {"set": {"X-A": "1", "x-b": "1"}, "remove": ["server", "via"]}});
        let inner = json!({"response": {"set": {"Server": "s", "x-a": "2"}, "remove": ["x-b"]}});
        let (outer, inner): (HeaderSettings, HeaderSettings) = (from_value(outer).unwrap(), from_value(inner).unwrap());
        let merged = inner.inherit(&outer);
        let expected = json!({"response": {"set": {"Server": "s", "x-a": "2"}, "remove": ["via", "x-b"]}});
        assert_eq!(to_value(&merged).unwrap(), expected);
        let mut headers = HeaderMap::new();
        headers.insert("via", HeaderValue::from_static("v"));
        headers.append("x-a", HeaderValue::from_static("0"));
        merged.resolve().response(&mut headers);
        assert!(headers["x-a"] == "2" && headers["server"] == "s" && headers.len() == 2, "{headers:?}");
    }

    #[test]
    fn what_is_no_header_or_of_the_connection_is_refused() {
        for wrong in [
            json!({"response": {"set": {"x y": "1"}}}),
            json!({"response": {"set": {"x": "a\nb"}}}),
            json!({"request": {"remove": ["Transfer-Encoding"]}}),
            json!({"request": {"set": {"host": "a"}}}),
            json!({"add": {}}),
        ] {
            assert!(from_value::<HeaderSettings>(wrong.clone()).is_err(), "{wrong}");
        }
    }
}
