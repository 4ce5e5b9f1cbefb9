//! Policies that are written and do nothing: a part of one, whose main field no level gives.

use super::{destination::DestinationPlan, root};
use crate::{
    document::{DocPath, Flaw, Key, Node, Value},
    routing::Match,
};

use http::Method;

/// A policy that is nothing without one of its fields.
struct Part {
    policy: &'static str,
    /// Any of these makes it something.
    needs: &'static [&'static str],
    without: &'static str,
    hint: &'static str,
}

const PARTS: [Part; 4] = [
    Part {
        policy: "rate_limit",
        needs: &["limit", "limits"],
        without: "nothing is limited without a `limit`",
        hint: "write one: `limit: 100/s`",
    },
    Part {
        policy: "concurrency",
        needs: &["limit"],
        without: "nothing is bounded without a `limit`",
        hint: "write one: `limit: 50`",
    },
    Part {
        policy: "mirror",
        needs: &["to"],
        without: "nothing is copied without `to`",
        hint: "name a function: `to: upstream/function`",
    },
    Part {
        policy: "cors",
        needs: &["origins"],
        without: "no page may call without `origins`",
        hint: "name them: `origins: [\"https://app.example.com\"]`",
    },
];

impl Part {
    /// The entry of a level, if it is but a part of the policy.
    fn of<'n>(&self, level: &'n Node) -> Option<&'n (Key, Node)> {
        let entry = level.entry(self.policy)?;
        let given = |field: &str| entry.1.get(field).is_some_and(|given| !given.is_null());
        let is_part = matches!(entry.1.value, Value::Mapping(_)) && !self.needs.iter().any(|field| given(field));
        is_part.then_some(entry)
    }

    /// Whether a level gives what makes the policy something.
    fn is_whole_on(&self, level: &Node) -> bool {
        level.get(self.policy).is_some_and(|given| !given.is_null()) && self.of(level).is_none()
    }

    /// Whether it does something at a destination.
    fn works_at(&self, plan: &DestinationPlan) -> bool {
        match self.policy {
            "rate_limit" => plan.access.as_ref().is_some_and(|access| access.limits()),
            "concurrency" => plan.policies.concurrency.is_some(),
            "mirror" => plan.policies.mirror.is_some(),
            _ => !origins(plan).is_empty(),
        }
    }
}

/// The origins that a destination lets in.
fn origins(plan: &DestinationPlan) -> Vec<String> {
    let effective = plan.policies.effective();
    let origins = effective["cors"]["origins"].as_array().into_iter().flatten();
    origins.filter_map(|origin| origin.as_str().map(ToOwned::to_owned)).collect()
}

/// What does nothing of the policies that stand on a route.
pub(super) fn on_route(route: &Node, path: &DocPath, matcher: &Match, plans: &[DestinationPlan]) -> Vec<Flaw> {
    let calls = route.entry("to").is_some();
    let mut flaws = Vec::new();
    for part in PARTS.iter().filter(|part| calls || !matches!(part.policy, "concurrency" | "mirror")) {
        if let Some((key, _)) = part.of(route).filter(|_| !plans.iter().any(|plan| part.works_at(plan))) {
            let message = format!("`{}` does nothing here: {}, which no level gives", part.policy, part.without);
            flaws.push(Flaw::error(key.at, &path.key(part.policy), message).with_hint(part.hint));
        }
    }
    flaws.extend(ungranted(route, path, plans));
    flaws.extend(uncached(route, path, matcher));
    flaws.extend(unknown_clients(route, path, plans));
    flaws
}

/// Credentials that no origin is granted.
fn ungranted(route: &Node, path: &DocPath, plans: &[DestinationPlan]) -> Option<Flaw> {
    let (key, granted) = route.get("cors")?.entry("credentials")?;
    let all = plans.iter().flat_map(origins).collect::<Vec<_>>();
    if granted.value != Value::Bool(true) || all.is_empty() || all.iter().any(|origin| origin != "*") {
        return None;
    }
    let message = "`credentials` does nothing here: they are never granted to an origin that only `*` lets in";
    let flaw = Flaw::error(key.at, &path.key("cors").key("credentials"), message);
    Some(flaw.with_hint("name the origins: `origins: [\"https://app.example.com\"]`"))
}

/// Replies that are never kept, as those to GET and HEAD alone are.
fn uncached(route: &Node, path: &DocPath, matcher: &Match) -> Option<Flaw> {
    let (key, given) = route.entry("cache")?;
    let off = matches!(given.value, Value::Null | Value::Bool(false));
    if off || [Method::GET, Method::HEAD].iter().any(|method| matcher.methods.allows(method)) {
        return None;
    }
    let message = "`cache` does nothing here: replies to GET and HEAD are kept, and the route takes neither";
    Some(Flaw::error(key.at, &path.key("cache"), message).with_hint("leave it out, or match GET"))
}

/// Clients that are to be told apart by what only `auth` finds out.
fn unknown_clients(route: &Node, path: &DocPath, plans: &[DestinationPlan]) -> Option<Flaw> {
    if plans.iter().any(|plan| plan.access.as_ref().is_some_and(|access| access.finds_out())) {
        return None;
    }
    let limit = route.get("rate_limit")?;
    let path = path.key("rate_limit");
    let needs_auth = |by: &Node| matches!(by.as_str(), Some("principal" | "api_key")) || by.get("claim").is_some();
    let listed = limit.get("limits").map(Node::items).unwrap_or_default().iter().enumerate();
    let listed = listed.map(|(index, quota)| (quota, path.key("limits").index(index)));
    let (by, path) = std::iter::once((limit, path.clone())).chain(listed).find_map(|(level, path)| {
        let by = level.get("by").filter(|by| needs_auth(by))?;
        Some((by, path.key("by")))
    })?;
    let message = "the route has no `auth` that finds out who comes: clients are told apart by their address";
    Some(Flaw::warning(by.at, &path, message).with_hint("give it `auth`, or write `by: client`"))
}

/// Policies of `defaults`, hosts and upstreams that are but a part, which no level and no route makes whole.
pub(super) fn around_routes(document: &Node) -> Vec<Flaw> {
    let named = |section: &'static str| {
        let entries = document.get(section).map(Node::entries).unwrap_or_default().iter();
        entries.map(move |(key, node)| (root().key(section).key(&key.text), node))
    };
    let defaults = document.get("defaults").map(|node| (root().key("defaults"), node));
    let around: Vec<_> = defaults.into_iter().chain(named("hosts")).chain(named("upstreams")).collect();
    let of_hosts = named("hosts").filter_map(|(_, host)| host.get("routes"));
    let routes: Vec<_> = document.get("routes").into_iter().chain(of_hosts).flat_map(Node::items).collect();
    let mut flaws = Vec::new();
    for part in &PARTS {
        let levels = || around.iter().map(|(_, level)| *level).chain(routes.iter().copied());
        if levels().any(|level| part.is_whole_on(level)) {
            continue;
        }
        for (path, level) in &around {
            if let Some((key, _)) = part.of(level) {
                let message = format!("`{}` does nothing: {}, which no level gives", part.policy, part.without);
                flaws.push(Flaw::warning(key.at, &path.key(part.policy), message).with_hint(part.hint));
            }
        }
    }
    flaws
}

/// A body beside a status that has none (RFC 9110 6.4.1).
pub(super) fn unseen_body(step: &Node, path: &DocPath) -> Option<Flaw> {
    let Value::Integer(status @ (204 | 205 | 304)) = step.get("status")?.value else { return None };
    let (key, body) = step.entry("body")?;
    if body.is_null() || body.as_str() == Some("none") || body.get("none").is_some() {
        return None;
    }
    let flaw = Flaw::error(key.at, &path.key("body"), format!("an answer with the status {status} has no body"));
    Some(flaw.with_hint("leave `body` out, or answer with 200"))
}
