//! `routes`, one by one: their match, what they do, and the policies and steps that hold for them.

use std::{collections::HashMap, sync::Arc};

use callgate_transform::{RequestSteps, ResponseSteps};

use super::{
    destination::{self, Action, DestinationPlan},
    hosts::{self, Group},
    idle,
    listener::ListenerSettings,
    matcher::{self, MatchSettings},
    opaque::Opaque,
    steps::Steps,
    top::Root,
    trial::{self, Trial},
};
use crate::{
    document::{DocPath, Document, Flaw, Key, Node, Span, Value, from_node},
    invocation::RouteInfo,
    policy::{Resolved, with_policies},
    routing::{HostPattern, Match, PathMatch, RouteTable, Rule},
    upstream::Files,
};

with_policies! {
    /// A route: what it matches, and what it does with it.
    RouteSettings {
        /// A name for logs, metrics and `callgate explain`. Default: the match.
        #[serde(skip_serializing_if = "Option::is_none")]
        name: Option<String>,
        /// What a request must be.
        #[serde(rename = "match", skip_serializing_if = "Option::is_none")]
        matches: Option<MatchSettings>,
        /// The function that serves it: `upstream/function`, its long form, or a weighted list.
        to: Opaque,
        /// Sends the client elsewhere.
        redirect: Opaque,
        /// Answers without an upstream.
        respond: Opaque,
        /// Answers with an OpenAPI 3.1 document of all routes.
        openapi: Opaque,
        /// Steps on the request.
        #[serde(skip_serializing_if = "Option::is_none")]
        request: Option<RequestSteps>,
        /// Steps on the response.
        #[serde(skip_serializing_if = "Option::is_none")]
        response: Option<ResponseSteps>,
        /// Tests of the route; `callgate test` runs them.
        tests: Opaque,
    }
}

/// What a route may do, one of these.
pub(super) const ACTIONS: [&str; 4] = ["to", "redirect", "respond", "openapi"];

/// A route, checked.
#[derive(Debug)]
pub(crate) struct RoutePlan {
    /// The name and the path as they are shown: without what references gave.
    pub(crate) info: Arc<RouteInfo>,
    /// The name as other parts of the document write it, where that is not the one that is shown.
    written: Option<Box<str>>,
    pub(crate) host: Option<HostPattern>,
    pub(crate) matcher: Match,
    /// At least one.
    pub(crate) destinations: Vec<DestinationPlan>,
    pub(super) tests: Vec<Trial>,
    /// The settings as they stand in the document, for `callgate config`.
    pub(super) settings: serde_json::Value,
    pub(super) host_settings: Arc<serde_json::Value>,
    pub(super) at: Span,
    pub(super) path: DocPath,
}

impl RoutePlan {
    /// Whether the document gives it a name.
    pub(crate) fn is_named(&self) -> bool {
        self.says("name")
    }

    /// Whether this field stands on the route itself.
    pub(super) fn says(&self, field: &str) -> bool {
        self.settings.get(field).is_some()
    }

    /// Whether the document, or who asks, means this route by the name.
    pub(super) fn is_called(&self, name: &str) -> bool {
        *self.info.name == *name || self.written.as_deref() == Some(name)
    }

    pub(super) fn rule(&self, index: usize) -> Rule<usize> {
        Rule { host: self.host.clone(), matcher: self.matcher.clone(), order: index, value: index }
    }

    /// What the route does, in a few words: `orders/create`.
    pub(super) fn shown(&self) -> String {
        shown(&self.destinations)
    }
}

/// What is done with a request, in a few words.
pub(super) fn shown(destinations: &[DestinationPlan]) -> String {
    let sum: u32 = destinations.iter().map(|destination| destination.weight).sum();
    let shown = destinations.iter().map(|destination| match &destination.action {
        Action::Call(call) if destinations.len() > 1 => format!("{call} ({} of {sum})", destination.weight),
        Action::Call(call) => call.to_string(),
        Action::Respond => "respond".to_owned(),
        Action::Redirect(_) => "redirect".to_owned(),
        Action::Openapi(_) => "openapi".to_owned(),
    });
    shown.collect::<Vec<_>>().join(", ")
}

/// Reads the routes of all hosts and the top-level ones.
pub(super) fn read_all(
    document: &Document,
    top: &Root,
    upstreams: &destination::Known<'_>,
    flaws: &mut Vec<Flaw>,
) -> Vec<RoutePlan> {
    let mut routes = Vec::new();
    let (files, resolved) = (destination::named_files(document), Resolved::default());
    for group in hosts::groups(document.root(), &top.defaults, flaws) {
        for (index, node) in group.routes.iter().enumerate() {
            let around = Around { group: &group, upstreams, files: &files, resolved: &resolved, document };
            routes.extend(read(node, &group.path.index(index), &around, flaws));
        }
        flaws.extend(group.without_auth(&routes));
    }
    flaws.extend(repeated_names(&routes));
    routes
}

/// What a route is read among.
struct Around<'a> {
    group: &'a Group<'a>,
    upstreams: &'a destination::Known<'a>,
    files: &'a Files,
    resolved: &'a Resolved,
    document: &'a Document,
}

fn read(node: &Node, path: &DocPath, around: &Around<'_>, flaws: &mut Vec<Flaw>) -> Option<RoutePlan> {
    let Around { group, upstreams, files, resolved, document } = *around;
    let sources = document.sources();
    let (settings, sound) = match from_node::<RouteSettings>(node, path) {
        Ok(settings) => (settings, true),
        Err(found) => {
            flaws.extend(found);
            if node.entries().is_empty() {
                return None;
            }
            (sound_part(node, path), false)
        }
    };
    let effective = effective(&settings, node, path);
    let policies = settings.policies().placed(&scope(&settings, group));
    let steps = Steps::compile(settings.request, settings.response, (node, path), flaws);
    let surroundings =
        destination::Surroundings { group, steps: &steps, policies: &policies, node, path, files, resolved, sources };
    let destinations = destination::read_all(node, path, &surroundings, upstreams, flaws);
    let tests = trial::read_all(node.get("tests"), &path.key("tests"), flaws);
    if !sound {
        return None;
    }
    let Some(MatchSettings(matcher)) = settings.matches else {
        let flaw = Flaw::error(node.at, path, "a route needs a `match`");
        flaws.push(flaw.with_hint("write `match: GET /orders/{id}`, or `match: /{*rest}` for everything"));
        return None;
    };
    flaws.extend(matcher::foreign(&matcher, node, path));
    let name = settings.name.unwrap_or_else(|| default_name(&matcher, group));
    let tail = match &matcher.path {
        PathMatch::Pattern(pattern) => pattern.tail().map(Arc::from),
        PathMatch::Regex(_) => None,
    };
    let (shown, pattern) = (document.masks.text(&name), matcher.path.to_string());
    let written = shown.is_some().then(|| name.as_str().into());
    let pattern = document.masks.text(&pattern).unwrap_or(pattern);
    let info = Arc::new(RouteInfo { name: shown.unwrap_or(name).into(), path: pattern.into(), tail });
    if !destinations.is_empty() && !node.lacks_reference() {
        flaws.extend(idle::on_route(node, path, &matcher, &destinations));
    }
    (!destinations.is_empty()).then(|| RoutePlan {
        info,
        written,
        host: group.host.clone(),
        matcher,
        destinations,
        tests,
        settings: effective,
        host_settings: Arc::clone(&group.settings),
        at: node.at,
        path: path.clone(),
    })
}

/// The host and the match: what a route is called that has no name.
fn default_name(matcher: &Match, group: &Group<'_>) -> String {
    let host = group.host.as_ref().map(|host| format!("{host} ")).unwrap_or_default();
    format!("{host}{matcher}")
}

/// What a route's own limits are limits of.
fn scope(settings: &RouteSettings, group: &Group<'_>) -> String {
    let matched = || settings.matches.as_ref().map(|MatchSettings(matcher)| default_name(matcher, group));
    format!("route {}", settings.name.clone().or_else(matched).unwrap_or_default())
}

/// What of a route can be read, so that a wrong field does not hide what is wrong with the others.
fn sound_part(node: &Node, path: &DocPath) -> RouteSettings {
    let alone = |entry: &&(Key, Node)| {
        let alone = Node::new(Value::Mapping(vec![(*entry).clone()]), node.at);
        from_node::<RouteSettings>(&alone, path).is_ok()
    };
    let entries = node.entries().iter().filter(alone).cloned().collect();
    from_node(&Node::new(Value::Mapping(entries), node.at), path).unwrap_or_default()
}

/// The route as it stands; its destinations come from their own readers.
fn effective(settings: &RouteSettings, node: &Node, path: &DocPath) -> serde_json::Value {
    let mut effective = serde_json::to_value(settings).unwrap_or_default();
    for name in ["redirect", "respond", "openapi"] {
        let given = node.get(name).and_then(|node| from_node::<serde_json::Value>(node, path).ok());
        if let (Some(given), Some(fields)) = (given, effective.as_object_mut()) {
            fields.insert(name.to_owned(), given);
        }
    }
    effective
}

/// Names that were given twice. Default names may repeat: such routes are told apart by their place.
fn repeated_names(routes: &[RoutePlan]) -> Vec<Flaw> {
    let mut first = HashMap::new();
    let mut flaws = Vec::new();
    for route in routes.iter().filter(|route| route.settings.get("name").is_some()) {
        let name = &*route.info.name;
        if let Some(at) = first.get(name) {
            let flaw = Flaw::error(route.at, &route.path, format!("a route named `{name}` was already defined"));
            flaws.push(flaw.with_related(*at, "the first one"));
        } else {
            first.insert(name, route.at);
        }
    }
    flaws
}

/// The first route that asks for a certificate of its clients, where no listener does.
pub(super) fn without_certificates(root: &Root, routes: &[RoutePlan]) -> Option<Flaw> {
    if root.listeners.values().any(ListenerSettings::takes_certificates) {
        return None;
    }
    let accesses = routes.iter().flat_map(|route| &route.destinations).filter_map(|plan| plan.access.as_ref());
    accesses.filter_map(|access| access.without_certificates()).next()
}

/// Warnings about routes that no request can reach.
pub(super) fn unreachable(table: &RouteTable<usize>, routes: &[RoutePlan]) -> Vec<Flaw> {
    let pairs = table.unreachable();
    pairs
        .iter()
        .filter_map(|pair| {
            let (hidden, by) = (routes.get(pair.hidden.value)?, routes.get(pair.by.value)?);
            let message = format!("no request reaches this route: `{}` takes them all", by.info.name);
            Some(Flaw::warning(hidden.at, &hidden.path, message).with_related(by.at, "the route that hides it"))
        })
        .collect()
}
