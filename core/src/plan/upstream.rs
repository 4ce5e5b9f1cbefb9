//! `upstreams`: one kind key each, beside the options that every kind has.

use std::{borrow::Cow, collections::BTreeMap, fmt, path::Path, sync::Arc};

use callgate_transform::{RequestSteps, ResponseSteps};
use serde::Deserialize;

use super::{
    destination::{Known, named},
    discover::{Discover, Selection},
    keep,
    opaque::Opaque,
    root,
    steps::Steps,
};
use crate::{
    document::{DocPath, Flaw, Key, NamedFiles, Node, Value, from_node, nearest},
    policy::{PolicySettings, with_policies},
    registry::Registry,
    upstream::{AnyKind, AnySettings, Files, flaw},
};

with_policies! {
    /// What an upstream of any kind may have beside its kind.
    CommonSettings {
        /// Names of your own for functions with options.
        functions: Opaque,
        /// Asks the remote which functions it has: `true`, or which of them and how often.
        #[serde(skip_serializing_if = "Discover::is_off")]
        discover: Discover,
        /// Steps on every request to this upstream, after the route's own.
        #[serde(skip_serializing_if = "Option::is_none")]
        request: Option<RequestSteps>,
        /// Steps on every response of this upstream, before the route's own.
        #[serde(skip_serializing_if = "Option::is_none")]
        response: Option<ResponseSteps>,
    }
}

/// The keys of an upstream that are neither its kind nor a policy.
const COMMON: [&str; 4] = ["functions", "discover", "request", "response"];

/// Whether a key of an upstream is an option that every kind has.
fn is_common(key: &str) -> bool {
    COMMON.contains(&key) || PolicySettings::NAMES.contains(&key)
}

/// An upstream, checked.
pub(crate) struct UpstreamPlan {
    pub(crate) kind: Arc<dyn AnyKind>,
    pub(crate) config: AnySettings,
    pub(crate) policies: PolicySettings,
    pub(crate) steps: Steps,
    /// Which of the remote's functions are looked for, if any.
    pub(crate) discovery: Option<Selection>,
    /// The functions that stand in the document, by name.
    pub(super) functions: BTreeMap<String, FunctionPlan>,
    /// The settings beside the kind, for `callgate config`.
    pub(super) common: serde_json::Value,
    /// The files that the settings name.
    pub(crate) files: Files,
    /// The whole node, for diagnostics and to tell on reload what changed.
    pub(crate) node: Node,
    pub(crate) path: DocPath,
}

/// A function that stands in the document.
pub(super) struct FunctionPlan {
    /// The kind's options, with the function's name filled in.
    pub(super) node: Node,
    path: DocPath,
    pub(super) steps: Steps,
    /// Whether the options are right; what is wrong with them was told already.
    pub(super) valid: bool,
    pub(super) effective: serde_json::Value,
}

/// Where a function stands in the document, and which of its fields no route overrides.
pub(crate) struct Declared {
    path: DocPath,
    fields: Vec<Box<str>>,
}

impl Declared {
    /// The path of the function, if it gives this field of a target.
    pub(crate) fn path_of(&self, field: &str) -> Option<&DocPath> {
        let first = field.split('.').next().unwrap_or_default();
        self.fields.iter().any(|field| **field == *first).then_some(&self.path)
    }
}

impl FunctionPlan {
    /// Where it stands, and the fields that it gives where a route does not give them itself.
    pub(super) fn fields_besides(&self, route: &Node) -> Declared {
        let fields = self.node.entries().iter().filter(|(key, _)| route.entry(&key.text).is_none());
        Declared { path: self.path.clone(), fields: fields.map(|(key, _)| key.text.clone()).collect() }
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct FunctionSteps {
    request: Option<RequestSteps>,
    response: Option<ResponseSteps>,
}

/// Reads all upstreams of a document.
pub(super) fn read_all(
    document: &Node,
    directory: &Path,
    named: &Arc<NamedFiles>,
    registry: &Registry,
    flaws: &mut Vec<Flaw>,
) -> BTreeMap<String, UpstreamPlan> {
    let Some(upstreams) = document.get("upstreams").filter(|node| !node.is_null()) else {
        return BTreeMap::new();
    };
    if !matches!(upstreams.value, Value::Mapping(_)) {
        let flaw = Flaw::error(upstreams.at, &root().key("upstreams"), "upstreams are a mapping of names");
        flaws.push(flaw.with_hint("write `upstreams: {orders: {lambda: {region: eu-west-1}}}`"));
    }
    let mut plans = BTreeMap::new();
    for (key, node) in upstreams.entries() {
        let path = root().key("upstreams").key(&key.text);
        if key.text.contains('/') || key.text.is_empty() {
            flaws.push(Flaw::error(
                key.at,
                &path,
                "an upstream's name has no `/`: it stands before the function in `to: upstream/function`",
            ));
        }
        let files = Files::within(directory, Arc::clone(named));
        if let Some(plan) = read(node, &path, files, registry, flaws) {
            plans.insert(key.text.to_string(), plan);
        }
    }
    plans
}

/// Every name that the document gives to an upstream, with its plan where it has no flaw.
pub(super) fn known<'a>(document: &'a Node, plans: &'a BTreeMap<String, UpstreamPlan>) -> Known<'a> {
    let names = document.get("upstreams").map(Node::entries).unwrap_or_default().iter();
    names.map(|(key, _)| (&*key.text, plans.get(&*key.text))).collect()
}

fn read(node: &Node, path: &DocPath, files: Files, registry: &Registry, flaws: &mut Vec<Flaw>) -> Option<UpstreamPlan> {
    let kinds: Vec<_> = node.entries().iter().filter(|(key, _)| registry.get(&key.text).is_some()).collect();
    let beside = node.without(&kinds.iter().map(|(key, _)| &*key.text).collect::<Vec<_>>());
    let (key, config) = match kinds.as_slice() {
        [one] => one,
        [] => {
            flaws.extend(no_kind(node, path, registry));
            return None;
        }
        [(first, _), (second, _), ..] => {
            let message = format!("an upstream has one kind; this one has `{}` and `{}`", first.text, second.text);
            flaws.push(Flaw::error(second.at, path, message).with_related(first.at, "the first kind"));
            return None;
        }
    };
    let kind = registry.get(&key.text)?;
    let settings: CommonSettings = keep(from_node(&beside, path), flaws).unwrap_or_default();
    let config = keep(kind.config(&given(config), &path.key(&key.text), &files), flaws);
    let functions = functions(node, &**kind, config.as_ref(), path, flaws);
    let policies = settings.policies().placed(&path.to_string());
    let discovery = settings.discover.selection();
    if discovery.is_some() && !kind.discovers() {
        flaws.push(no_discovery(node, path, kind.name(), registry));
    }
    if let Some(invalid) =
        config.as_ref().filter(|_| discovery.is_some()).and_then(|config| kind.check_discovery(config))
    {
        let at = node.get("discover").unwrap_or(node);
        flaws.push(flaw(at, &path.key("discover"), invalid));
    }
    let common = serde_json::to_value(&settings).unwrap_or_default();
    let steps = Steps::compile(settings.request, settings.response, (&beside, path), flaws);
    Some(UpstreamPlan {
        common,
        kind: Arc::clone(kind),
        config: config?,
        policies,
        steps,
        discovery,
        functions,
        files,
        node: node.clone(),
        path: path.clone(),
    })
}

fn functions(
    node: &Node,
    kind: &dyn AnyKind,
    config: Option<&AnySettings>,
    path: &DocPath,
    flaws: &mut Vec<Flaw>,
) -> BTreeMap<String, FunctionPlan> {
    let Some(functions) = node.get("functions").filter(|node| !node.is_null()) else {
        return BTreeMap::new();
    };
    let path = path.key("functions");
    if !matches!(functions.value, Value::Mapping(_)) {
        flaws.push(Flaw::error(functions.at, &path, "functions are a mapping of names to options"));
    }
    let entries = functions.entries().iter();
    let read =
        |(key, node): &(Key, Node)| Some((key.text.to_string(), function(key, node, kind, config, &path, flaws)?));
    entries.filter_map(read).collect()
}

fn function(
    key: &Key,
    node: &Node,
    kind: &dyn AnyKind,
    config: Option<&AnySettings>,
    path: &DocPath,
    flaws: &mut Vec<Flaw>,
) -> Option<FunctionPlan> {
    let path = path.key(&key.text);
    if !matches!(node.value, Value::Mapping(_) | Value::Null) {
        let flaw = Flaw::error(node.at, &path, "a function is a mapping of options");
        flaws.push(flaw.with_hint("write `{}` for one without options"));
        return None;
    }
    let (own, options) = node.split(&["request", "response"]);
    let steps: FunctionSteps = keep(from_node(&own, &path), flaws).unwrap_or_default();
    let mut entries = options.entries().to_vec();
    if let Some(field) = kind.target_name()
        && options.get(field).is_none()
    {
        entries.push(named(field, &key.text, key.at));
    }
    let node = Node::new(Value::Mapping(entries), node.at);
    let target = keep(kind.target(config, &node, &path), flaws);
    Some(FunctionPlan {
        steps: Steps::compile(steps.request, steps.response, (&own, &path), flaws),
        valid: target.is_some(),
        effective: target.map(|target| target.effective().clone()).unwrap_or_default(),
        node,
        path,
    })
}

/// Says which kinds could be asked for their functions.
fn no_discovery(node: &Node, path: &DocPath, kind: &str, registry: &Registry) -> Flaw {
    let at = node.entry("discover").map_or(node.at, |(key, _)| key.at);
    let flaw = Flaw::error(at, &path.key("discover"), format!("the kind `{kind}` can't list its functions"));
    let able: Vec<_> = registry.discovering().collect();
    match able.as_slice() {
        [] => flaw.with_hint("leave `discover` out"),
        able => flaw.with_hint(format!("leave `discover` out; the kinds that can are {}", list(able))),
    }
}

/// The settings of a kind: nothing given stands for none.
pub(super) fn given(config: &Node) -> Cow<'_, Node> {
    if config.is_null() { Cow::Owned(Node::new(Value::Mapping(Vec::new()), config.at)) } else { Cow::Borrowed(config) }
}

/// Says which kind is missing, or which key was probably meant to be one.
fn no_kind(node: &Node, path: &DocPath, registry: &Registry) -> Vec<Flaw> {
    let names: Vec<_> = registry.kinds().map(|(name, _)| name).collect();
    let unknown: Vec<_> = node.entries().iter().filter(|(key, _)| !is_common(&key.text)).collect();
    if unknown.is_empty() {
        let flaw = Flaw::error(node.at, path, "an upstream needs a kind");
        return vec![flaw.with_hint(format!("the kinds are {}", list(&names)))];
    }
    let flaw = |(key, _): &&(crate::document::Key, Node)| {
        let flaw = Flaw::error(key.at, path, format!("unknown kind `{}`", key.text))
            .with_label(format!("the kinds are {}", list(&names)));
        match nearest(&key.text, names.iter().copied()) {
            Some(name) => flaw.with_hint(format!("did you mean `{name}`?")),
            None => flaw,
        }
    };
    unknown.iter().map(flaw).collect()
}

pub(super) fn list(names: &[&str]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

impl fmt::Debug for UpstreamPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UpstreamPlan").field("kind", &self.kind.name()).finish_non_exhaustive()
    }
}
