//! `to` of a trigger: functions, or a route by its name.

use std::sync::Arc;

use callgate_transform::{RequestPipeline, RequestSteps, ResponsePipeline};
use http::{Method, Uri};
use serde::Deserialize;

use super::Around;
use crate::{
    document::{DocPath, Flaw, Node, from_node, nearest},
    plan::{DestinationPlan, RoutePlan, destination, keep, steps::Steps, upstream::list},
    policy::{Pipelines, PolicySettings, Resolved},
    routing::PathMatch,
};

/// Where the messages of a trigger go.
#[derive(Debug)]
pub(crate) enum TargetPlan {
    /// To functions of its own.
    Functions(Vec<DestinationPlan>),
    /// To a route.
    Route(Box<NamedPlan>),
}

/// A route that is meant by its name.
#[derive(Debug)]
pub(crate) struct NamedPlan {
    /// Its place among the plan's routes.
    pub(crate) route: usize,
    pub(crate) name: Arc<str>,
    /// The trigger's own steps.
    pub(crate) steps: Pipelines,
    pub(crate) path: PathMatch,
    /// What the request is before the steps.
    pub(crate) method: Method,
    pub(crate) target: Uri,
}

impl TargetPlan {
    /// Takes the target out; what is left goes nowhere.
    pub(crate) fn take(&mut self) -> Self {
        std::mem::replace(self, Self::Functions(Vec::new()))
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RouteForm {
    route: String,
}

/// Reads `to`; `None` when something is wrong with it.
pub(super) fn read(
    name: &Arc<str>,
    node: &Node,
    path: &DocPath,
    request: Option<RequestSteps>,
    policies: &PolicySettings,
    around: &Around<'_>,
    flaws: &mut Vec<Flaw>,
) -> Option<TargetPlan> {
    let makes_path = request.as_ref().is_some_and(|steps| steps.0.iter().any(|step| step.path.is_some()));
    let steps = Steps::compile(request, None, (node, path), flaws);
    let Some(to) = node.get("to").filter(|to| !to.is_null()) else {
        let flaw = Flaw::error(node.at, path, format!("nothing is done with the messages of `{name}`"));
        flaws.push(flaw.with_hint("give it `to: upstream/function` or `to: {route: NAME}`"));
        return None;
    };
    let at = path.key("to");
    if to.entry("route").is_some() {
        for (key, _) in node.entries().iter().filter(|(key, _)| ["timeout", "limits"].contains(&&*key.text)) {
            let message = format!("a route's own `{}` holds for it, wherever its requests come from", key.text);
            flaws.push(Flaw::error(key.at, &path.key(&key.text), message).with_hint("set it on the route"));
        }
        return named(to, &at, makes_path, &steps, around, flaws).map(|named| TargetPlan::Route(Box::new(named)));
    }
    let surroundings = destination::Surroundings {
        group: &around.group,
        steps: &steps,
        policies,
        node,
        path,
        files: &destination::named_files(around.document),
        // Messages are let in by the document itself.
        resolved: &Resolved::default(),
        sources: around.document.sources(),
    };
    let destinations = destination::to(to, &at, &surroundings, around.upstreams, flaws);
    (!destinations.is_empty()).then_some(TargetPlan::Functions(destinations))
}

fn named(
    node: &Node,
    path: &DocPath,
    makes_path: bool,
    steps: &Steps,
    around: &Around<'_>,
    flaws: &mut Vec<Flaw>,
) -> Option<NamedPlan> {
    let form: RouteForm = keep(from_node(node, path), flaws)?;
    let at = node.get("route").map_or(node.at, |name| name.at);
    let path = &path.key("route");
    let found: Vec<_> = around.routes.iter().enumerate().filter(|(_, route)| route.is_called(&form.route)).collect();
    let (index, route) = match found.as_slice() {
        [one] => *one,
        [] => {
            flaws.push(unknown(
                &form.route,
                Flaw::error(at, path, format!("no route is named `{}`", form.route)),
                around,
            ));
            return None;
        }
        [..] => {
            let message = format!("{} routes are named `{}`", found.len(), form.route);
            flaws.push(Flaw::error(at, path, message).with_hint("give the one that is meant a `name` of its own"));
            return None;
        }
    };
    let literal = literal(route);
    if literal.is_none() && !makes_path {
        let message =
            format!("the route `{}` takes `{}`, and the trigger makes no path", route.info.name, route.info.path);
        let hint = format!("give the trigger a step that does: `request: {{path: \"{}\"}}`", example(route));
        flaws.push(Flaw::error(at, path, message).with_hint(hint));
        return None;
    }
    Some(NamedPlan {
        route: index,
        name: Arc::clone(&route.info.name),
        steps: Pipelines {
            sources: Arc::clone(around.document.sources()),
            request: RequestPipeline::new(steps.request.clone()),
            response: ResponsePipeline::default(),
        },
        path: route.matcher.path.clone(),
        method: method(route),
        target: literal.unwrap_or_else(|| Uri::from_static("/")),
    })
}

fn unknown(name: &str, flaw: Flaw, around: &Around<'_>) -> Flaw {
    let names: Vec<_> = around.routes.iter().map(|route| &*route.info.name).collect();
    match nearest(name, names.iter().copied()) {
        Some(near) => flaw.with_hint(format!("did you mean `{near}`?")),
        None if names.is_empty() => flaw.with_hint("the document has no routes; write `to: upstream/function`"),
        None if names.len() <= 8 => flaw.with_hint(format!("the routes are {}", list(&names))),
        None => flaw.with_hint("`callgate routes` lists them"),
    }
}

/// The path of a route that takes one alone.
fn literal(route: &RoutePlan) -> Option<Uri> {
    match &route.matcher.path {
        PathMatch::Pattern(pattern) if pattern.is_exact() => pattern.to_string().parse().ok(),
        PathMatch::Pattern(_) | PathMatch::Regex(_) => None,
    }
}

/// A template for the route's path, with a value of the message's body for each capture.
fn example(route: &RoutePlan) -> String {
    match &route.matcher.path {
        PathMatch::Pattern(pattern) => {
            let mut path = pattern.to_string();
            for name in pattern.capture_names() {
                for capture in [format!("{{{name}}}"), format!("{{*{name}}}")] {
                    path = path.replace(&capture, &format!("{{{{ body.{name} }}}}"));
                }
            }
            path
        }
        PathMatch::Regex(_) => "/...".to_owned(),
    }
}

/// What a message is sent as: POST where the route takes it.
fn method(route: &RoutePlan) -> Method {
    let methods = &route.matcher.methods;
    if methods.is_any() || methods.allows(&Method::POST) {
        return Method::POST;
    }
    methods.iter().next().cloned().unwrap_or(Method::POST)
}
