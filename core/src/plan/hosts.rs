//! `hosts`: routes and policies of a domain.

use std::sync::Arc;

use callgate_transform::{RequestSteps, ResponseSteps};

use super::{keep, opaque::Opaque, root, steps::Steps};
use crate::{
    document::{DocPath, Flaw, Node, from_node},
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
        groups.push(Group {
            host: Some(host),
            policies,
            steps: Steps::compile(settings.request, settings.response, (node, &path), flaws),
            routes: list(node.get("routes"), &routes, flaws),
            path: routes,
            settings: effective,
        });
    }
    groups
}

fn list<'d>(node: Option<&'d Node>, path: &DocPath, flaws: &mut Vec<Flaw>) -> &'d [Node] {
    let Some(node) = node.filter(|node| !node.is_null()) else { return &[] };
    if !matches!(node.value, crate::document::Value::Sequence(_)) {
        let flaw = Flaw::error(node.at, path, "routes are a list");
        flaws.push(flaw.with_hint("begin each route with `- `"));
    }
    node.items()
}
