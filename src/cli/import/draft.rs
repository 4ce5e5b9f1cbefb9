//! A configuration in the making, and what could not be taken over into it.

use std::collections::BTreeSet;

use callgate_core::plan::to_yaml;
use serde_json::{Map, Value, json};

/// What is made of another gateway's configuration.
#[derive(Debug, Default)]
pub(super) struct Draft {
    upstreams: Map<String, Value>,
    hosts: Map<String, Value>,
    routes: Vec<Value>,
    /// What has to be done by hand, in the order in which it was met.
    left: Vec<String>,
    known: BTreeSet<String>,
}

/// How a path is matched there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Matching {
    Exact,
    /// The path and whatever follows it.
    Prefix,
    Regex,
}

impl Draft {
    /// Notes what has no counterpart, once.
    pub(super) fn left(&mut self, what: impl Into<String>) {
        let what = what.into();
        if self.known.insert(what.clone()) {
            self.left.push(what);
        }
    }

    /// Notes the fields that an object has beside those that were taken.
    pub(super) fn left_fields(&mut self, of: &str, object: &Value, taken: &[&str]) {
        for (name, value) in object.as_object().into_iter().flatten() {
            let empty = value.is_null() || value.as_array().is_some_and(Vec::is_empty);
            if !empty && !taken.contains(&name.as_str()) {
                self.left(format!("{of}: `{name}`"));
            }
        }
    }

    /// Adds an upstream under a name, or under one made of it where another one has it; gives the name.
    pub(super) fn upstream(&mut self, name: &str, upstream: Value) -> String {
        let name: String =
            name.chars().map(|char| if char.is_ascii_alphanumeric() || char == '-' { char } else { '-' }).collect();
        let name = if name.is_empty() { "service".to_owned() } else { name };
        let numbered = (2..).map(|number| format!("{name}-{number}"));
        let mut names = std::iter::once(name.clone()).chain(numbered);
        let free = names.find(|name| self.upstreams.get(name).is_none_or(|there| *there == upstream)).unwrap_or(name);
        self.upstreams.insert(free.clone(), upstream);
        free
    }

    /// Adds a route, to a host or to all of them.
    pub(super) fn route(&mut self, host: Option<&str>, route: Value) {
        match host.filter(|host| *host != "*") {
            None => self.routes.push(route),
            Some(host) => {
                let entry = self.hosts.entry(host).or_insert_with(|| json!({"routes": []}));
                if let Some(routes) = entry["routes"].as_array_mut() {
                    routes.push(route);
                }
            }
        }
    }

    /// The document, with what was left out as comments before it.
    pub(super) fn finish(self, from: &str) -> (String, Value) {
        let mut text = format!("# Made of a configuration of {from} by `callgate import`.\n");
        if self.left.is_empty() {
            text.push_str("# Everything in it was taken over.\n");
        } else {
            text.push_str("# What has no counterpart here, or another one, and is left to you:\n");
            for left in &self.left {
                text.push_str(&format!("# - {}\n", left.replace('\n', " ")));
            }
        }
        let mut document = Map::new();
        let empty = self.hosts.is_empty();
        document.insert("upstreams".to_owned(), Value::Object(self.upstreams));
        if !empty {
            document.insert("hosts".to_owned(), Value::Object(self.hosts));
        }
        document.insert("routes".to_owned(), Value::Array(self.routes));
        let document = Value::Object(document);
        text.push_str(&to_yaml(&document));
        (text, json!({"configuration": document, "left": self.left}))
    }
}

/// The `match` of a route. `methods` are none where all of them match.
pub(super) fn matches(matching: Matching, path: &str, methods: &[String], more: Map<String, Value>) -> Value {
    let mut matches = Map::new();
    match matching {
        Matching::Exact => matches.insert("path".to_owned(), literal(path).into()),
        Matching::Prefix => {
            matches.insert("path".to_owned(), format!("{}/{{*rest}}", literal(path.trim_end_matches('/'))).into())
        }
        Matching::Regex => matches.insert("path_regex".to_owned(), path.into()),
    };
    if !methods.is_empty() {
        matches.insert("methods".to_owned(), json!(methods));
    }
    matches.extend(more);
    Value::Object(matches)
}

/// A path whose braces mean nothing.
fn literal(path: &str) -> String {
    path.replace("${", "$${")
}

/// Milliseconds, or a duration as Go writes it, as this configuration writes it.
pub(super) fn duration(value: &Value) -> Option<String> {
    match value {
        Value::Number(millis) => Some(format!("{millis}ms")),
        Value::String(text) => {
            let digits = text.trim_end_matches(|char: char| char.is_ascii_alphabetic());
            let unit = &text[digits.len()..];
            let simple = digits.chars().all(|char| char.is_ascii_digit()) && !digits.is_empty();
            (simple && ["ms", "s", "m", "h"].contains(&unit)).then(|| text.clone())
        }
        _ => None,
    }
}

/// The texts of a list.
pub(super) fn texts(list: &Value) -> Vec<String> {
    list.as_array().into_iter().flatten().filter_map(|item| item.as_str().map(str::to_owned)).collect()
}
