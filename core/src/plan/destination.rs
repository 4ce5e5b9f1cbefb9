//! What a route does with a request: `to`, `respond` or `redirect`.

use std::{collections::BTreeMap, fmt, sync::Arc};

use callgate_transform::{RequestPipeline, RequestSteps, ResponsePipeline, ResponseSteps};
use serde::Deserialize;

use super::{
    hosts::Group,
    idle, keep, redirect,
    steps::{Steps, placed_steps},
    upstream::{Declared, FunctionPlan, UpstreamPlan, list},
};
use crate::{
    builtin::{OpenapiSettings, Redirect},
    document::{DocPath, Document, Flaw, Key, Node, Sources, Span, Value, from_node, nearest},
    policy::{AccessPlan, MirrorSettings, Pipelines, Policies, PolicySettings, Resolved},
    routing::HostPattern,
    upstream::{AnySettings, Files},
};

/// The upstreams that destinations may name: `None` is one that is there but wrong.
pub(super) type Known<'a> = BTreeMap<&'a str, Option<&'a UpstreamPlan>>;

/// What holds around a destination.
pub(super) struct Surroundings<'a> {
    pub(super) group: &'a Group<'a>,
    pub(super) steps: &'a Steps,
    pub(super) policies: &'a PolicySettings,
    /// The route itself, for what is found wrong with its policies.
    pub(super) node: &'a Node,
    pub(super) path: &'a DocPath,
    /// The files that policies name.
    pub(super) files: &'a Files,
    /// The policies of `auth` that were made so far.
    pub(super) resolved: &'a Resolved,
    /// The files of the document.
    pub(super) sources: &'a Arc<Sources>,
}

/// The files that the policies of a document name.
pub(super) fn named_files(document: &Document) -> Files {
    Files::within(document.folder(Span::default()), Arc::clone(document.sources().named()))
}

/// One destination of a route.
#[derive(Debug)]
pub(crate) struct DestinationPlan {
    pub(crate) weight: u32,
    pub(crate) action: Action,
    pub(crate) pipelines: Pipelines,
    pub(crate) policies: Policies,
    /// Where a copy of requests goes.
    pub(crate) mirror: Option<Box<Self>>,
    pub(crate) access: Option<Arc<AccessPlan>>,
}

/// Where a destination leads.
#[derive(Debug)]
pub(crate) enum Action {
    /// To a function of an upstream.
    Call(Box<Call>),
    /// The gateway answers by itself; the steps make the answer.
    Respond,
    /// The gateway sends the client elsewhere.
    Redirect(Redirect),
    /// The gateway answers with the document of its routes: those of this host, and those for any.
    Openapi(Box<(OpenapiSettings, Option<HostPattern>)>),
}

/// A function of an upstream, by its target.
pub(crate) struct Call {
    pub(crate) upstream: String,
    pub(crate) function: Option<String>,
    pub(crate) target: AnySettings,
    /// Where the target stands, for what binding finds wrong.
    pub(crate) node: Node,
    pub(crate) path: DocPath,
    /// Where the function itself stands in the document, and which fields it gives.
    pub(crate) declared: Option<Declared>,
}

/// Leaves the node out: what the target's type keeps secret stands in it as it was written.
impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Call({self}, {:?})", self.target)
    }
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.upstream)?;
        self.function.as_ref().map_or(Ok(()), |function| write!(f, "/{function}"))
    }
}

/// The keys of a long form that are not the kind's.
const OWN: [&str; 5] = ["upstream", "function", "weight", "request", "response"];

/// The fields of a long form that every kind has.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct LongForm {
    upstream: Option<String>,
    function: Option<String>,
    weight: Option<u32>,
    request: Option<RequestSteps>,
    response: Option<ResponseSteps>,
}

/// Reads what a route does; empty when something is wrong with it.
pub(super) fn read_all(
    route: &Node,
    path: &DocPath,
    around: &Surroundings<'_>,
    upstreams: &Known<'_>,
    flaws: &mut Vec<Flaw>,
) -> Vec<DestinationPlan> {
    let given: Vec<_> = super::route::ACTIONS.into_iter().filter_map(|name| route.entry(name)).collect();
    let (key, node) = match given.as_slice() {
        [one] => one,
        [] => {
            let flaw = Flaw::error(route.at, path, "the route does nothing");
            flaws.push(flaw.with_hint("give it one of `to`, `redirect`, `respond` and `openapi`"));
            return Vec::new();
        }
        [(first, _), (second, _), ..] => {
            let message = format!(
                "a route has one of `to`, `redirect`, `respond` and `openapi`; this one has `{}` and `{}`",
                first.text, second.text
            );
            flaws.push(Flaw::error(second.at, path, message).with_related(first.at, "the first one"));
            return Vec::new();
        }
    };
    if &*key.text != "to" {
        flaws.extend(idle(route, path, &key.text));
    }
    let path = path.key(&key.text);
    match &*key.text {
        "respond" => answer(node, &path, around, flaws).into_iter().collect(),
        "openapi" => keep(openapi(node, &path), flaws)
            .map(|settings| Box::new((settings, around.group.host.clone())))
            .map(|openapi| own(Action::Openapi(openapi), &Steps::default(), around, flaws))
            .into_iter()
            .collect(),
        "redirect" => keep(redirect::read(node, &path), flaws)
            .map(|redirect| own(Action::Redirect(redirect), &Steps::default(), around, flaws))
            .into_iter()
            .collect(),
        _ => to(node, &path, around, upstreams, flaws),
    }
}

/// The policies of a call, which stand on a route that calls nobody.
fn idle(route: &Node, path: &DocPath, action: &str) -> Vec<Flaw> {
    let written = PolicySettings::OF_CALLS.iter().filter_map(|name| route.entry(name));
    let flaw = |(key, _): &(Key, Node)| {
        let message = format!("`{}` does nothing here: `{action}` is answered by the gateway itself", key.text);
        Flaw::error(key.at, &path.key(&key.text), message).with_hint("leave it out, or name a function with `to`")
    };
    written.map(flaw).collect()
}

/// The settings of a published document; `openapi:` alone has them all by default.
fn openapi(node: &Node, path: &DocPath) -> Result<OpenapiSettings, Vec<Flaw>> {
    if node.is_null() { Ok(OpenapiSettings::default()) } else { from_node(node, path) }
}

/// A destination whose answer is made by one response step.
fn answer(step: &Node, path: &DocPath, around: &Surroundings<'_>, flaws: &mut Vec<Flaw>) -> Option<DestinationPlan> {
    let steps: ResponseSteps = keep(from_node(step, path), flaws)?;
    flaws.extend(idle::unseen_body(step, path));
    let compiled = keep(steps.compile().map_err(|found| placed_steps(found, Some(step), path)), flaws)?;
    let own = Steps { request: None, response: Some(compiled) };
    Some(self::own(Action::Respond, &own, around, flaws))
}

/// A destination that is the gateway itself.
fn own(action: Action, steps: &Steps, around: &Surroundings<'_>, flaws: &mut Vec<Flaw>) -> DestinationPlan {
    let policies = around.policies.clone().or(&around.group.policies);
    let pipelines = pipelines(around, None, steps);
    DestinationPlan {
        weight: 1,
        action,
        pipelines: Pipelines { response: pipelines.response.alone(), ..pipelines },
        access: policies.access(around.node, around.path, (around.files, around.resolved), flaws),
        policies: policies.resolve().without_calls(),
        mirror: None,
    }
}

/// A destination, or a weighted list of them.
pub(super) fn to(
    node: &Node,
    path: &DocPath,
    around: &Surroundings<'_>,
    upstreams: &Known<'_>,
    flaws: &mut Vec<Flaw>,
) -> Vec<DestinationPlan> {
    let Value::Sequence(items) = &node.value else {
        return call(node, path, around, upstreams, flaws).into_iter().collect();
    };
    if items.is_empty() {
        flaws.push(Flaw::error(node.at, path, "the list of destinations is empty"));
    }
    let plans: Vec<_> = items
        .iter()
        .enumerate()
        .filter_map(|(index, item)| call(item, &path.index(index), around, upstreams, flaws))
        .collect();
    let sum: u64 = plans.iter().map(|plan| u64::from(plan.weight)).sum();
    if plans.len() == items.len() && !plans.is_empty() && (sum == 0 || sum > u64::from(u32::MAX)) {
        flaws.push(Flaw::error(node.at, path, "the weights have to add up to a number from 1 to 4294967295"));
    }
    plans
}

/// One destination: `upstream/function`, or the long form.
pub(super) fn call(
    node: &Node,
    path: &DocPath,
    around: &Surroundings<'_>,
    upstreams: &Known<'_>,
    flaws: &mut Vec<Flaw>,
) -> Option<DestinationPlan> {
    let (form, written, options) = match &node.value {
        Value::String(text) => {
            let (upstream, function) = match text.split_once('/') {
                Some((upstream, function)) => (upstream, Some(function.to_owned())),
                None => (text.as_str(), None),
            };
            let written = function.is_some().then(|| node.behind(upstream.len() + 1));
            let form = LongForm { upstream: Some(upstream.to_owned()), function, ..LongForm::default() };
            (form, written, Node::new(Value::Mapping(Vec::new()), node.at))
        }
        Value::Mapping(_) => {
            let (own, options) = node.split(&OWN);
            let form = keep(from_node::<LongForm>(&own, path), flaws)?;
            (form, own.get("function").filter(|node| !node.is_null()).cloned(), options)
        }
        _ => {
            let flaw = Flaw::error(node.at, path, "a destination is `upstream/function` or a mapping with `upstream`");
            flaws.push(flaw);
            return None;
        }
    };
    let Some(name) = &form.upstream else {
        let flaw = Flaw::error(node.at, path, "the destination names no `upstream`");
        let meant = options.entries().iter().find(|(key, _)| nearest(&key.text, OWN) == Some("upstream"));
        flaws.push(match meant {
            Some((key, _)) => flaw.with_hint(format!("is `{}` meant to be `upstream`?", key.text)),
            None => flaw,
        });
        return None;
    };
    let upstream = find(name, node, path, upstreams, flaws)?;
    let declared = form.function.as_deref().and_then(|function| upstream.functions.get(function));
    let function = form.function.as_deref().zip(written);
    let target_node = target_node(upstream, name, function, declared, &options, path, flaws)?;
    let target = keep(upstream.kind.target(Some(&upstream.config), &target_node, path), flaws)?;
    let mut own = declared.map(|declared| declared.steps.clone()).unwrap_or_default();
    let here = Steps::compile(form.request, form.response, (node, path), flaws);
    own.request = here.request.or(own.request);
    own.response = here.response.or(own.response);
    let policies = around.policies.clone().or(&upstream.policies).or(&around.group.policies);
    let access = policies.access(around.node, around.path, (around.files, around.resolved), flaws);
    let policies = policies.resolve();
    let mirror = policies.mirror.as_ref().map(|copies| mirror(&copies.to, node, path, around, upstreams, flaws));
    Some(DestinationPlan {
        weight: form.weight.unwrap_or(1),
        pipelines: pipelines(around, Some(&upstream.steps), &own),
        access,
        policies,
        mirror: mirror.flatten(),
        action: Action::Call(Box::new(Call {
            upstream: name.clone(),
            function: form.function.clone(),
            target,
            node: target_node,
            path: path.clone(),
            declared: declared.map(|declared| declared.fields_besides(&options)),
        })),
    })
}

/// The destination of a mirror, as if the route led there; it has no mirror itself.
fn mirror(
    to: &str,
    node: &Node,
    path: &DocPath,
    around: &Surroundings<'_>,
    upstreams: &Known<'_>,
    flaws: &mut Vec<Flaw>,
) -> Option<Box<DestinationPlan>> {
    let before = flaws.len();
    let text = Node::new(Value::String(to.to_owned()), node.at);
    let nowhere = MirrorSettings { to: Some(String::new()), ..MirrorSettings::default() };
    let policies = PolicySettings { mirror: Some(nowhere), ..around.policies.clone() };
    let around = Surroundings { policies: &policies, ..*around };
    let plan = call(&text, path, &around, upstreams, flaws);
    for flaw in flaws.iter_mut().skip(before) {
        flaw.message = format!("the mirror of this destination: {}", flaw.message);
    }
    // A copy is made of a request that was let in.
    plan.map(|plan| Box::new(DestinationPlan { access: None, ..plan }))
}

fn find<'a>(
    name: &str,
    node: &Node,
    path: &DocPath,
    upstreams: &Known<'a>,
    flaws: &mut Vec<Flaw>,
) -> Option<&'a UpstreamPlan> {
    if let Some(known) = upstreams.get(name) {
        return *known;
    }
    let at = node.get("upstream").map_or(node.at, |upstream| upstream.at);
    let names: Vec<_> = upstreams.keys().copied().collect();
    let flaw = Flaw::error(at, path, format!("unknown upstream `{name}`"));
    let flaw = if names.is_empty() {
        flaw.with_hint("the document has no `upstreams`")
    } else {
        match nearest(name, names.iter().copied()) {
            Some(near) => flaw.with_hint(format!("did you mean `{near}`?")),
            None => flaw.with_hint(format!("the upstreams are {}", list(&names))),
        }
    };
    flaws.push(flaw);
    None
}

/// The target's settings: those of the function's name in the document, then those of the route.
pub(super) fn target_node(
    upstream: &UpstreamPlan,
    name: &str,
    function: Option<(&str, Node)>,
    declared: Option<&FunctionPlan>,
    options: &Node,
    path: &DocPath,
    flaws: &mut Vec<Flaw>,
) -> Option<Node> {
    let kind = upstream.kind.name();
    let mut entries: Vec<(Key, Node)> = match declared {
        Some(declared) if !declared.valid => return None,
        Some(declared) => declared.node.entries().to_vec(),
        None => Vec::new(),
    };
    match (upstream.kind.target_name(), function) {
        (Some(field), Some((_, written))) if declared.is_none() => {
            entries.push((Key { text: field.into(), at: options.at }, written));
        }
        (Some(field), None) if upstream.kind.needs_name() && options.get(field).is_none() => {
            let flaw =
                Flaw::error(options.at, path, format!("`{name}` is of the kind `{kind}`, whose functions have names"));
            flaws.push(flaw.with_hint(format!("write `{name}/` and the function's {field}")));
            return None;
        }
        (None, Some((function, _))) if declared.is_none() => {
            let flaw = Flaw::error(
                options.at,
                path,
                format!("`{name}` is of the kind `{kind}`, and has no function `{function}`"),
            );
            let names: Vec<_> = upstream.functions.keys().map(String::as_str).collect();
            flaws.push(match nearest(function, names) {
                Some(near) => flaw.with_hint(format!("did you mean `{name}/{near}`?")),
                None => flaw.with_hint(format!("write `to: {name}`")),
            });
            return None;
        }
        _ => {}
    }
    for (key, value) in options.entries() {
        entries.retain(|(former, _)| former.text != key.text);
        entries.push((key.clone(), value.clone()));
    }
    Some(Node::new(Value::Mapping(entries), options.at))
}

/// The field that a function's name stands for.
pub(super) fn named(field: &str, name: &str, at: Span) -> (Key, Node) {
    (Key { text: field.into(), at }, Node::new(Value::String(name.to_owned()), at))
}

/// Host, route, upstream, function; the responses the other way round.
fn pipelines(around: &Surroundings<'_>, upstream: Option<&Steps>, function: &Steps) -> Pipelines {
    let levels = [Some(&around.group.steps), Some(around.steps), upstream, Some(function)];
    let levels = || levels.into_iter().flatten();
    Pipelines {
        sources: Arc::clone(around.sources),
        request: RequestPipeline::new(levels().filter_map(|steps| steps.request.clone())),
        response: ResponsePipeline::new(levels().rev().filter_map(|steps| steps.response.clone())),
    }
}
