//! `hosts`: routes and policies of a domain.

use std::sync::Arc;

use callgate_transform::{RequestSteps, ResponseSteps};

use super::{keep, opaque::Opaque, root, route::RoutePlan, steps::Steps};
use crate::{
    document::{DocPath, Flaw, Node, Span, Value, from_node},
    policy::{PolicySettings, with_policies},
    routing::HostPattern,
};

with_policies! {
    /// The routes of a domain, with policies and steps for all of them.
    HostSettings {
        /// The routes; what none of them matches is tried on the top-level routes.
        routes: Opaque,
        /// Steps on every request, before the route's own.
        #[serde(skip_serializing_if = "Option::is_none")]
        request: Option<RequestSteps>,
        /// Steps on every response, after the route's own.
        #[serde(skip_serializing_if = "Option::is_none")]
        response: Option<ResponseSteps>,
    }
}

/// A group of routes: those of a domain, or the top-level ones.
pub(super) struct Group<'d> {
    pub(super) host: Option<HostPattern>,
    pub(super) policies: PolicySettings,
    pub(super) steps: Steps,
    pub(super) routes: &'d [Node],
    pub(super) path: DocPath,
    /// What stands on the host beside its routes, for `callgate config`.
    pub(super) settings: Arc<serde_json::Value>,
    /// Where the host's own `auth` stands, if it demands anything that the top-level routes don't have from `defaults`.
    pub(super) auth: Option<(Span, DocPath)>,
}

impl Group<'_> {
    /// What of a host's `auth` does not hold although it looks so: a top-level route takes the requests that none of the
    /// host's routes matches, and nothing is demanded there. A route that says itself what it demands is meant so.
    pub(super) fn without_auth(&self, routes: &[RoutePlan]) -> Option<Flaw> {
        let (host, (at, path)) = (self.host.as_ref()?, self.auth.as_ref()?);
        if routes.iter().any(|route| route.host.as_ref() == Some(host) && route.matcher.takes_all()) {
            return None;
        }
        let open = routes.iter().find(|route| route.host.is_none() && !route.says("auth"))?;
        let message =
            format!("requests of `{host}` that none of its routes takes go to the top-level routes, without this");
        let flaw =
            Flaw::warning(*at, path, message).with_related(open.at, "a top-level route, where everyone may come in");
        Some(flaw.with_hint(
            "put `auth` into `defaults`, say on the top-level routes what they demand (`auth: none` for nothing), or end the host with a route for `/{*rest}`",
        ))
    }
}

/// The groups of a document: one for each host, and the top-level routes.
pub(super) fn groups<'d>(document: &'d Node, defaults: &PolicySettings, flaws: &mut Vec<Flaw>) -> Vec<Group<'d>> {
    let path = root().key("routes");
    let top = Group {
        host: None,
        policies: defaults.clone(),
        steps: Steps::default(),
        routes: list(document.get("routes"), &path, flaws),
        path,
        settings: Arc::default(),
        auth: None,
    };
    let mut groups = vec![top];
    let mut seen = Vec::new();
    for (key, node) in document.get("hosts").map(Node::entries).unwrap_or_default() {
        let path = root().key("hosts").key(&key.text);
        let host = match HostPattern::parse(&key.text) {
            Ok(host) => host,
            Err(error) => {
                flaws.push(Flaw::error(key.at, &path, error.to_string()));
                continue;
            }
        };
        if let Some(former) = seen.iter().find(|(former, _)| *former == host) {
            let message = format!("the host `{host}` is there twice");
            flaws.push(Flaw::error(key.at, &path, message).with_related(former.1, "it is there first"));
            continue;
        }
        seen.push((host.clone(), key.at));
        let settings: HostSettings = keep(from_node(node, &path), flaws).unwrap_or_default();
        let effective = Arc::new(serde_json::to_value(&settings).unwrap_or_default());
        let policies = settings.policies().placed(&format!("host {host}")).or(defaults);
        let routes = path.key("routes");
        let idle = idle(node, &path);
        let guarded =
            idle.is_none() && defaults.auth.is_none() && effective.get("auth").is_some_and(|auth| auth != "none");
        let auth = node.entry("auth").filter(|_| guarded).map(|(key, _)| (key.at, path.key("auth")));
        flaws.extend(idle);
        groups.push(Group {
            host: Some(host),
            policies,
            steps: Steps::compile(settings.request, settings.response, (node, &path), flaws),
            routes: list(node.get("routes"), &routes, flaws),
            path: routes,
            settings: effective,
            auth,
        });
    }
    groups
}

/// What stands on a host that has no routes: it would shape nothing.
fn idle(host: &Node, path: &DocPath) -> Option<Flaw> {
    let empty = |routes: &Node| routes.is_null() || matches!(&routes.value, Value::Sequence(items) if items.is_empty());
    if !host.get("routes").is_none_or(empty) {
        return None;
    }
    let (key, _) = host.entries().iter().find(|(key, _)| &*key.text != "routes")?;
    let message = format!("`{}` does nothing here: the host has no routes", key.text);
    let flaw = Flaw::error(key.at, &path.key(&key.text), message);
    Some(flaw.with_hint(
        "what stands on a host shapes its own `routes` and no others: put routes here, or this on the top-level routes or into `defaults`",
    ))
}

fn list<'d>(node: Option<&'d Node>, path: &DocPath, flaws: &mut Vec<Flaw>) -> &'d [Node] {
    let Some(node) = node.filter(|node| !node.is_null()) else { return &[] };
    if !matches!(node.value, Value::Sequence(_)) {
        let flaw = Flaw::error(node.at, path, "routes are a list");
        flaws.push(flaw.with_hint("begin each route with `- `"));
    }
    node.items()
}
