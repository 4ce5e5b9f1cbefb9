//! The source of a trigger: one key, whose name is a kind.

use std::sync::Arc;

use super::COMMON;
use crate::{
    document::{DocPath, Flaw, Node, nearest},
    plan::{
        keep,
        upstream::{given, list},
    },
    registry::Registry,
    trigger::AnyTriggerKind,
    upstream::{AnySettings, Files},
};

/// What of a trigger is its source.
pub(super) struct Source<'d> {
    /// The keys that name a kind.
    pub(super) keys: Vec<&'d str>,
    /// The kind and its settings, where they are right.
    pub(super) read: Option<(Arc<dyn AnyTriggerKind>, AnySettings)>,
}

pub(super) fn read<'d>(
    node: &'d Node,
    path: &DocPath,
    registry: &Registry,
    files: &Files,
    flaws: &mut Vec<Flaw>,
) -> Source<'d> {
    let found: Vec<_> = node.entries().iter().filter(|(key, _)| registry.trigger(&key.text).is_some()).collect();
    // A key that is none of a trigger's was meant to be the source; it is told here, and not as an unknown field.
    let meant = |name: &str| !COMMON.contains(&name) && nearest(name, COMMON).is_none();
    let mut keys: Vec<&str> = found.iter().map(|(key, _)| &*key.text).collect();
    let (key, config) = match found.as_slice() {
        [one] => one,
        [] => {
            let unknown: Vec<_> = node.entries().iter().filter(|(key, _)| meant(&key.text)).collect();
            keys.extend(unknown.iter().map(|(key, _)| &*key.text));
            let names: Vec<_> = registry.triggers().map(|(name, _)| name).collect();
            let flaw = match unknown.first() {
                Some((key, _)) => unknown_source(
                    &key.text,
                    registry,
                    &names,
                    Flaw::error(key.at, path, format!("`{}` is no source of messages", key.text)),
                ),
                None => Flaw::error(node.at, path, "a trigger needs a source of messages").with_hint(sources(&names)),
            };
            flaws.push(flaw);
            return Source { keys, read: None };
        }
        [(first, _), (second, _), ..] => {
            let message = format!("a trigger has one source; this one has `{}` and `{}`", first.text, second.text);
            flaws.push(Flaw::error(second.at, path, message).with_related(first.at, "the first source"));
            return Source { keys, read: None };
        }
    };
    let Some(kind) = registry.trigger(&key.text) else { return Source { keys, read: None } };
    let config = keep(kind.config(&given(config), &path.key(&key.text), files), flaws);
    Source { keys, read: config.map(|config| (Arc::clone(kind), config)) }
}

fn unknown_source(name: &str, registry: &Registry, names: &[&str], flaw: Flaw) -> Flaw {
    if let Some(near) = nearest(name, names.iter().copied()) {
        return flaw.with_hint(format!("did you mean `{near}`?"));
    }
    let flaw = flaw.with_hint(sources(names));
    if registry.get(name).is_some() { flaw.with_label("a kind of upstream that delivers no messages") } else { flaw }
}

fn sources(names: &[&str]) -> String {
    match names {
        [] => "no kind of this build delivers messages".to_owned(),
        names => format!("the sources are {}", list(names)),
    }
}
