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
    defaults: Map<String, Value>,
    /// What has to be done by hand, in the order in which it was met.
    left: Vec<String>,
    known: BTreeSet<String>,
    /// Whether no route's own `auth` may stand in place of that of all.
    closed: bool,
}

/// Who alone may call what is closed.
const NOBODY: &str = "nobody";
/// A hash of which no text is known.
const NO_HASH: &str = "sha256:0000000000000000000000000000000000000000000000000000000000000000";

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
            let empty = value.is_null()
                || value.as_array().is_some_and(Vec::is_empty)
                || value.as_object().is_some_and(Map::is_empty)
                || name.starts_with('@');
            if !empty && !taken.contains(&name.as_str()) {
                self.left(format!("{of}: `{name}`"));
            }
        }
    }

    /// Notes the fields of what was taken over that were not, but for those with the value that they have where nobody chose one.
    pub(super) fn left_unusual(&mut self, of: &str, object: &Value, taken: &[&str], usual: &[(&str, Value)]) {
        let is_usual = |(field, value): &&(&str, Value)| object[*field] == *value;
        let usual = usual.iter().filter(is_usual).map(|(field, _)| *field);
        let taken: Vec<_> = taken.iter().copied().chain(usual).collect();
        self.left_fields(of, object, &taken);
    }

    /// Notes what CORS does not grant here.
    pub(super) fn left_of_cors(&mut self, of: &str, cors: &Value) {
        if cors["credentials"] == true && cors["origins"].as_array().is_some_and(|all| all.contains(&"*".into())) {
            self.left(format!("{of}: `credentials` for any origin; here `*` grants none, so name the origins"));
        }
    }

    /// Closes what the policies belong to, because of what decides there who is let in: everyone is answered 401 until somebody
    /// writes an `auth`. Open it would serve those whom it never served.
    pub(super) fn close(&mut self, of: &str, because: &str, policies: &mut Map<String, Value>) {
        self.left(format!("{of}: {because}. It is CLOSED, 401 for everyone, until you write its `auth`"));
        policies.insert("auth".to_owned(), json!({"api_key": {"keys": {NOBODY: NO_HASH}}}));
    }

    /// Closes every route, also those whose own `auth` was taken over.
    pub(super) fn close_all(&mut self, because: &str) {
        let mut defaults = std::mem::take(&mut self.defaults);
        self.close("every route", because, &mut defaults);
        self.defaults = defaults;
        self.closed = true;
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
    pub(super) fn route(&mut self, host: Option<&str>, mut route: Value) {
        if let Some(route) = route.as_object_mut().filter(|_| self.closed) {
            route.shift_remove("auth");
        }
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

    /// Adds a policy for every route.
    pub(super) fn policy(&mut self, name: &str, policy: Value) {
        self.defaults.insert(name.to_owned(), policy);
    }

    /// Takes a route out again, because of what is wrong with it.
    pub(super) fn take_route(&mut self, host: Option<&str>, index: usize, wrong: &str) -> bool {
        let routes = match host {
            None => Some(&mut self.routes),
            Some(host) => self.hosts.get_mut(host).and_then(|host| host["routes"].as_array_mut()),
        };
        let Some(routes) = routes.filter(|routes| index < routes.len()) else { return false };
        let route = routes.remove(index);
        let matches = &route["match"];
        let path = matches["path"].as_str().or(matches["path_regex"].as_str()).unwrap_or_default();
        self.left(format!("the route of `{path}` is left out: {wrong}"));
        true
    }

    /// Takes an upstream out again.
    pub(super) fn take_upstream(&mut self, name: &str, wrong: &str) -> bool {
        let there = self.upstreams.shift_remove(name).is_some();
        if there {
            self.left(format!("the upstream {name} is left out: {wrong}"));
        }
        there
    }

    /// Takes a host out again, with its routes.
    pub(super) fn take_host(&mut self, host: &str, wrong: &str) -> bool {
        let there = self.hosts.shift_remove(host).is_some();
        if there {
            self.left(format!("the routes of the host `{host}` are left out: {wrong}"));
        }
        there
    }

    /// The document.
    pub(super) fn document(&self) -> Value {
        let mut document = Map::new();
        if !self.defaults.is_empty() {
            document.insert("defaults".to_owned(), Value::Object(self.defaults.clone()));
        }
        document.insert("upstreams".to_owned(), Value::Object(self.upstreams.clone()));
        if !self.hosts.is_empty() {
            document.insert("hosts".to_owned(), Value::Object(self.hosts.clone()));
        }
        document.insert("routes".to_owned(), Value::Array(self.routes.clone()));
        Value::Object(document)
    }

    /// The document, with what was left out as comments before it.
    pub(super) fn finish(mut self, from: &str) -> (String, Value) {
        let routes = self.hosts.values().any(|host| host["routes"].as_array().is_some_and(|routes| !routes.is_empty()));
        if self.routes.is_empty() && !routes {
            self.left("no route was found, and without one nothing can be served");
        }
        if routes_are_missing(&self.left) {
            self.left("requests to a route that is left out reach a broader one, if there is any that takes them");
        }
        let mut text = format!("# Made of a configuration of {from} by `callgate import`.\n");
        if self.left.is_empty() {
            text.push_str("# Everything in it was taken over.\n");
        } else {
            text.push_str("# What has no counterpart here, or another one, and is left to you:\n");
            for left in &self.left {
                text.push_str(&format!("# - {}\n", left.replace('\n', " ")));
            }
        }
        let document = self.document();
        let nobody = format!("{NOBODY}: \"{NO_HASH}\"");
        text.push_str(&to_yaml(&document).replace(&nobody, &format!("{nobody} # CLOSED: write here who may call")));
        (text, json!({"configuration": document, "left": self.left}))
    }
}

fn routes_are_missing(left: &[String]) -> bool {
    left.iter().any(|left| left.contains("is left out") || left.contains("are left out"))
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

/// `/users/{id}` as a template. The tail keeps its slashes.
pub(super) fn templated(path: &str) -> String {
    let mut text = String::new();
    let mut rest = path;
    while let Some((before, after)) = rest.split_once('{') {
        let (name, behind) = after.split_once('}').unwrap_or((after, ""));
        text.push_str(&format!("{before}{{{{ params.{name} }}}}"));
        rest = behind;
    }
    text + rest
}

/// What to call an upstream by its URL: the first label of its host, or its address.
pub(super) fn first_label(url: &str) -> &str {
    let authority = url.split("://").last().unwrap_or_default().split('/').next().unwrap_or_default();
    let label = authority.split([':', '.']).next().unwrap_or_default();
    if label.bytes().all(|byte| byte.is_ascii_digit()) { authority } else { label }
}

/// Milliseconds, or a duration as Go writes it, as this configuration writes it. None stands for what has no counterpart; no
/// time at all among it, which means no limit there.
pub(super) fn duration(value: &Value) -> Option<String> {
    match value {
        Value::Number(millis) => millis.as_u64().filter(|millis| *millis > 0).map(|millis| format!("{millis}ms")),
        Value::String(text) => {
            let digits = text.trim_end_matches(|char: char| char.is_ascii_alphabetic());
            let unit = &text[digits.len()..];
            let simple = digits.chars().all(|char| char.is_ascii_digit()) && !digits.is_empty();
            let some = digits.bytes().any(|digit| digit != b'0');
            (simple && some && ["ms", "s", "m", "h"].contains(&unit)).then(|| text.clone())
        }
        _ => None,
    }
}

/// What the fields of a CORS configuration are called there: those of lists that are `origins`, `methods`, `headers` and `expose`
/// here, and `credentials` and `max_age`.
pub(super) type CorsNames<'a> = ([&'a str; 4], &'a str, &'a str);

/// Who may call from other pages; none where nobody is named. A number is an age in seconds.
pub(super) fn cors(config: &Value, (lists, credentials, max_age): CorsNames<'_>) -> Option<Value> {
    let mut cors = Map::new();
    for (there, here) in lists.iter().zip(["origins", "methods", "headers", "expose"]) {
        let values = texts(&config[*there]);
        if !values.is_empty() {
            cors.insert(here.to_owned(), json!(values));
        }
    }
    if config[credentials] == true {
        cors.insert("credentials".to_owned(), true.into());
    }
    let age = config[max_age].as_u64().map(|seconds| format!("{seconds}s")).or_else(|| duration(&config[max_age]));
    cors.extend(age.map(|age| ("max_age".to_owned(), age.into())));
    cors.contains_key("origins").then_some(Value::Object(cors))
}

/// The texts of a list.
pub(super) fn texts(list: &Value) -> Vec<String> {
    list.as_array().into_iter().flatten().filter_map(|item| item.as_str().map(str::to_owned)).collect()
}
