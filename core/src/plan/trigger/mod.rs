//! `triggers`: one source each, and what is done with its messages.

mod schema;
mod source;
mod target;

use std::{fmt, sync::Arc};

use callgate_transform::RequestSteps;
use serde::{Deserialize, Serialize};

pub(super) use schema::schema;
pub(crate) use target::{NamedPlan, TargetPlan};

use super::{
    DestinationPlan, RoutePlan, destination, hosts::Group, keep, opaque::Opaque, root, steps::Steps, top::Root,
};
use crate::{
    document::{DocPath, Document, Flaw, Node, Rate, Value, from_node},
    policy::{LimitSettings, PolicySettings, Resolved, Timeout},
    registry::Registry,
    trigger::{AnyTriggerKind, Concurrency, Retry, RetrySettings},
    upstream::AnySettings,
};

/// What a trigger may have beside its source. What stands before its functions on their upstreams holds for messages
/// as for requests; of the policies a trigger has those that bound one message.
#[derive(Debug, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct TriggerSettings {
    /// The function that each message invokes: `upstream/function`, its long form, a weighted list, or `{route: NAME}`.
    to: Opaque,
    /// How many messages are worked on at once. Default: 8.
    concurrency: Concurrency,
    /// How many messages are begun per second or minute, `100/s`, `30/m`. Default: as many as there are.
    #[serde(skip_serializing_if = "Option::is_none")]
    rate: Option<Rate>,
    /// When a message that failed is tried again.
    retry: RetrySettings,
    /// Where a message goes that can't be processed.
    #[serde(skip_serializing_if = "Option::is_none")]
    dead_letter: Option<DeadLetterSettings>,
    /// Steps on the request that a message becomes, before all others.
    #[serde(skip_serializing_if = "Option::is_none")]
    request: Option<RequestSteps>,
    /// How long the invocation of a message may take; `{head: 30s}` bounds the time to the reply's head alone. Default:
    /// `{head: 30s}`.
    #[serde(skip_serializing_if = "Option::is_none")]
    timeout: Option<Timeout>,
    /// How much is taken.
    #[serde(skip_serializing_if = "Option::is_none")]
    limits: Option<LimitSettings>,
}

/// Where a message goes that can't be processed.
#[derive(Debug, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct DeadLetterSettings {
    /// A function that takes it, and answers 2xx once it has it: `upstream/function` or its long form.
    to: Opaque,
}

/// The keys of a trigger that are no source.
const COMMON: [&str; 8] = ["to", "concurrency", "rate", "retry", "dead_letter", "request", "timeout", "limits"];

/// A trigger, checked.
pub(crate) struct TriggerPlan {
    pub(crate) name: Arc<str>,
    pub(crate) kind: Arc<dyn AnyTriggerKind>,
    pub(crate) config: AnySettings,
    /// Whether the source keeps a message until it is acknowledged.
    pub(crate) keeps: bool,
    pub(crate) target: TargetPlan,
    pub(crate) concurrency: Concurrency,
    pub(crate) rate: Option<Rate>,
    pub(crate) retry: Retry,
    pub(crate) dead_letter: Option<DestinationPlan>,
    /// The settings beside the source, for `callgate config`.
    pub(super) common: serde_json::Value,
    /// The whole node, for diagnostics.
    pub(crate) node: Node,
    pub(crate) path: DocPath,
}

/// What triggers are read among.
struct Around<'a> {
    registry: &'a Registry,
    upstreams: &'a destination::Known<'a>,
    routes: &'a [RoutePlan],
    group: Group<'a>,
    document: &'a Document,
}

/// Reads all triggers of a document.
pub(super) fn read_all(
    document: &Document,
    top: &Root,
    registry: &Registry,
    upstreams: &destination::Known<'_>,
    routes: &[RoutePlan],
    flaws: &mut Vec<Flaw>,
) -> Vec<TriggerPlan> {
    let Some(triggers) = document.root().get("triggers").filter(|node| !node.is_null()) else {
        return Vec::new();
    };
    let path = root().key("triggers");
    if !matches!(triggers.value, Value::Mapping(_)) {
        let flaw = Flaw::error(triggers.at, &path, "triggers are a mapping of names");
        flaws.push(flaw.with_hint("write `triggers: {work: {nats: {...}, to: upstream/function}}`"));
    }
    let group = Group {
        host: None,
        policies: top.defaults.clone().without_access(),
        steps: Steps::default(),
        routes: &[],
        path: root(),
        settings: Arc::default(),
        auth: None,
    };
    let around = Around { registry, upstreams, routes, group, document };
    let read = |(key, node): &(crate::document::Key, Node)| read(&key.text, node, &path.key(&key.text), &around, flaws);
    triggers.entries().iter().filter_map(read).collect()
}

fn read(name: &str, node: &Node, path: &DocPath, around: &Around<'_>, flaws: &mut Vec<Flaw>) -> Option<TriggerPlan> {
    let source = source::read(node, path, around.registry, &destination::named_files(around.document), flaws);
    let beside = node.without(&source.keys);
    let before = flaws.len();
    let settings: TriggerSettings = keep(from_node(&beside, path), flaws).unwrap_or_default();
    let readable = flaws.len() == before;
    let name = Arc::<str>::from(name);
    let common = serde_json::to_value(&settings).unwrap_or_default();
    #[allow(clippy::needless_update, reason = "a policy more is none of a trigger's")]
    let policies = PolicySettings { timeout: settings.timeout, limits: settings.limits.clone(), ..Default::default() };
    let target = target::read(&name, node, path, settings.request, &policies, around, flaws);
    let has_dead_letter = settings.dead_letter.is_some();
    let dead_letter = node.get("dead_letter").filter(|_| has_dead_letter);
    let dead_letter = dead_letter.and_then(|letter| self::dead_letter(letter, &path.key("dead_letter"), around, flaws));
    if let Some((field, message)) = settings.retry.backoff.wrong() {
        let backoff = node.get("retry").and_then(|retry| retry.get("backoff"));
        let at = backoff.and_then(|backoff| backoff.get(field)).or(backoff).map_or(node.at, |node| node.at);
        flaws.push(Flaw::error(at, &path.key("retry").key("backoff").key(field), message));
    }
    let (kind, config) = source.read?;
    let keeps = kind.keeps(&config);
    if readable && keeps && !has_dead_letter {
        flaws.push(endless(node, path, &settings.retry));
    }
    Some(TriggerPlan {
        retry: settings.retry.resolve(has_dead_letter, keeps),
        name,
        kind,
        config,
        keeps,
        target: target?,
        concurrency: settings.concurrency,
        rate: settings.rate,
        dead_letter,
        common,
        node: node.clone(),
        path: path.clone(),
    })
}

/// A source that keeps its messages needs a place for those that can't be processed.
fn endless(node: &Node, path: &DocPath, retry: &RetrySettings) -> Flaw {
    if retry.attempts.is_some() {
        let entry = node.get("retry").and_then(|retry| retry.entry("attempts"));
        let at = entry.map_or(node.at, |(key, _)| key.at);
        let message = "after the last try there is no place for the message: the trigger has no `dead_letter`";
        let flaw = Flaw::error(at, &path.key("retry").key("attempts"), message);
        return flaw
            .with_hint("give it `dead_letter: {to: upstream/function}`, or leave `attempts` out to try for ever");
    }
    let flaw = Flaw::warning(node.at, path, "a message that always fails is tried for ever");
    flaw.with_hint("give the trigger a `dead_letter: {to: upstream/function}` that takes such messages")
}

fn dead_letter(node: &Node, path: &DocPath, around: &Around<'_>, flaws: &mut Vec<Flaw>) -> Option<DestinationPlan> {
    let Some(to) = node.get("to").filter(|to| !to.is_null()) else {
        let flaw = Flaw::error(node.at, path, "the dead letter goes nowhere");
        flaws.push(flaw.with_hint("give it `to: upstream/function`"));
        return None;
    };
    let (steps, policies) = (Steps::default(), PolicySettings::default());
    let around_it = destination::Surroundings {
        group: &around.group,
        steps: &steps,
        policies: &policies,
        node,
        path,
        files: &destination::named_files(around.document),
        // Messages are let in by the document itself.
        resolved: &Resolved::default(),
        sources: around.document.sources(),
    };
    destination::call(to, &path.key("to"), &around_it, around.upstreams, flaws)
}

impl TriggerPlan {
    /// Where the messages go, in a few words: `orders/create`.
    pub(crate) fn shown(&self) -> String {
        match &self.target {
            TargetPlan::Functions(destinations) => super::route::shown(destinations),
            TargetPlan::Route(named) => format!("route {}", named.name),
        }
    }
}

impl fmt::Debug for TriggerPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TriggerPlan").field("name", &self.name).field("kind", &self.kind.name()).finish_non_exhaustive()
    }
}
