//! The files of a document become one tree: named sections by name, routes and tests one after the other, the
//! remainder once.

use std::collections::HashMap;

use super::{DocPath, Flaw, Key, Node, Span, Value};

/// The document so far.
#[derive(Debug, Default)]
pub(super) struct Merged {
    entries: Vec<(Key, Node)>,
    /// Where each name of a named section is defined.
    names: HashMap<(Box<str>, Box<str>), Span>,
    at: Option<Span>,
}

/// What a name of a section names, or nothing for a section that has no names.
fn named(section: &str) -> Option<&'static str> {
    match section {
        "listeners" => Some("listener"),
        "upstreams" => Some("upstream"),
        "hosts" => Some("host"),
        "triggers" => Some("trigger"),
        _ => None,
    }
}

impl Merged {
    /// Adds the entries of one file.
    pub(super) fn add(&mut self, root: Node, flaws: &mut Vec<Flaw>) {
        self.at.get_or_insert(root.at);
        let entries = match root.value {
            Value::Null => return,
            Value::Mapping(entries) => entries,
            Value::Bool(_) | Value::Integer(_) | Value::Float(_) | Value::String(_) | Value::Sequence(_) => {
                let message = "a configuration is a mapping, with `routes`, `upstreams` and so on as its keys";
                flaws.push(Flaw::error(root.at, &DocPath::root(), message));
                return;
            }
        };
        for (key, node) in entries.into_iter().filter(|(key, _)| &*key.text != "include") {
            self.section(key, node, flaws);
        }
    }

    /// The whole document.
    pub(super) fn finish(self) -> Node {
        Node::new(Value::Mapping(self.entries), self.at.unwrap_or_default())
    }

    fn section(&mut self, key: Key, node: Node, flaws: &mut Vec<Flaw>) {
        let path = DocPath::root().key(&key.text);
        let node = match (named(&key.text), node.value) {
            (Some(what), Value::Mapping(entries)) => {
                let entries = self.new_names(&key.text, what, entries, &path, flaws);
                Node { value: Value::Mapping(entries), ..node }
            }
            (_, value) => Node { value, ..node },
        };
        let Some((first, known)) = self.entries.iter_mut().find(|(known, _)| known.text == key.text) else {
            self.entries.push((key, node));
            return;
        };
        let named = named(&key.text).is_some();
        let appended = matches!(&*key.text, "routes" | "tests");
        match (&mut known.value, node.value) {
            (_, Value::Null) if named || appended => {}
            (Value::Mapping(known), Value::Mapping(entries)) if named => known.extend(entries),
            (Value::Sequence(known), Value::Sequence(items)) if appended => known.extend(items),
            (value @ Value::Null, other) => *value = other,
            _ => flaws.push(
                Flaw::error(key.at, &path, format!("`{}` is given a second time", key.text))
                    .with_related(first.at, "it is given first"),
            ),
        }
    }

    /// The entries whose name is not taken; of the others, it is said where both are.
    fn new_names(
        &mut self,
        section: &str,
        what: &str,
        entries: Vec<(Key, Node)>,
        path: &DocPath,
        flaws: &mut Vec<Flaw>,
    ) -> Vec<(Key, Node)> {
        let mut new = Vec::with_capacity(entries.len());
        for (key, node) in entries {
            let name = (section.into(), key.text.clone());
            if let Some(first) = self.names.get(&name) {
                let message = format!("the {what} `{}` is defined twice", key.text);
                flaws.push(Flaw::error(key.at, path, message).with_related(*first, "it is defined first"));
            } else {
                self.names.insert(name, key.at);
                new.push((key, node));
            }
        }
        new
    }
}
