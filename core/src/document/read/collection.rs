//! Lists and mappings, without what failed before.

use std::slice;

use serde::de::{DeserializeSeed, IntoDeserializer, MapAccess, SeqAccess};

use super::{
    Session,
    error::{Error, unknown},
    identity,
    key::KeyDeserializer,
    node::NodeDeserializer,
    placeholder::Placeholder,
};
use crate::document::{DocPath, Key, Node, nearest};

pub(super) struct Items<'a> {
    list: &'a Node,
    path: DocPath,
    session: &'a Session,
    items: std::iter::Enumerate<slice::Iter<'a, Node>>,
}

impl<'a> Items<'a> {
    pub(super) fn new(of: &NodeDeserializer<'a>, items: &'a [Node]) -> Self {
        Self { list: of.node, path: of.path.clone(), session: of.session, items: items.iter().enumerate() }
    }
}

impl<'a> SeqAccess<'a> for Items<'a> {
    type Error = Error;

    fn next_element_seed<T: DeserializeSeed<'a>>(&mut self, seed: T) -> Result<Option<T::Value>, Error> {
        for (index, node) in self.items.by_ref() {
            if self.session.skips(node) {
                self.session.incomplete(self.list);
                continue;
            }
            let path = self.path.index(index);
            let value = seed.deserialize(NodeDeserializer::new(node, path.clone(), self.session));
            return value.map(Some).map_err(|error| error.or_at(node, &path));
        }
        Ok(None)
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.items.len())
    }
}

pub(super) struct Entries<'a> {
    mapping: &'a Node,
    path: DocPath,
    session: &'a Session,
    entries: slice::Iter<'a, (Key, Node)>,
    /// The fields of a struct; a map takes any key.
    fields: Option<&'static [&'static str]>,
    /// Fields to make up.
    supplied: std::vec::IntoIter<&'static str>,
    next: Option<&'a (Key, Node)>,
}

impl<'a> Entries<'a> {
    pub(super) fn new(
        of: &NodeDeserializer<'a>,
        entries: &'a [(Key, Node)],
        fields: Option<&'static [&'static str]>,
    ) -> Self {
        let supplied = of.session.supplied.borrow().get(&identity(of.node)).cloned().unwrap_or_default();
        if !supplied.is_empty() {
            of.session.incomplete(of.node);
        }
        Self {
            mapping: of.node,
            path: of.path.clone(),
            session: of.session,
            entries: entries.iter(),
            fields,
            supplied: supplied.into_iter(),
            next: None,
        }
    }

    /// Notes an unknown field, once, and passes over it from then on.
    fn refuse(&self, key: &Key, node: &Node, fields: &[&'static str]) {
        let error = unknown("field", &key.text, fields).or_at_span(key.at, node, &self.path);
        if let Some(meant) = nearest(&key.text, fields.iter().copied()) {
            self.session.explain(self.mapping, meant);
        }
        if let Some(failure) = error.into_failure(self.session) {
            self.session.skipped.borrow_mut().insert(failure.node);
            self.session.flaws.borrow_mut().extend(failure.flaw);
        }
    }
}

impl<'a> MapAccess<'a> for Entries<'a> {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'a>>(&mut self, seed: K) -> Result<Option<K::Value>, Error> {
        while let Some(entry) = self.entries.next() {
            let (key, node) = entry;
            let known = self.fields.is_none_or(|fields| fields.contains(&&*key.text));
            if self.session.skips(node) && (known || self.session.is_skipped(node)) {
                if known {
                    self.session.explain(self.mapping, &key.text);
                    self.session.incomplete(self.mapping);
                }
                continue;
            }
            if let Some(fields) = self.fields.filter(|_| !known) {
                self.refuse(key, node, fields);
                continue;
            }
            self.next = Some(entry);
            return seed
                .deserialize(KeyDeserializer { key })
                .map(Some)
                .map_err(|error| error.or_at_span(key.at, node, &self.path));
        }
        self.next = None;
        self.supplied.next().map(|field| seed.deserialize(field.into_deserializer())).transpose()
    }

    fn next_value_seed<V: DeserializeSeed<'a>>(&mut self, seed: V) -> Result<V::Value, Error> {
        let Some((key, node)) = self.next.take() else {
            let failed = |_| Error::wrong("a value that was made up is refused").or_at(self.mapping, &self.path);
            return seed.deserialize(Placeholder).map_err(failed);
        };
        let path = self.path.key(&key.text);
        seed.deserialize(NodeDeserializer::new(node, path.clone(), self.session))
            .map_err(|error| error.or_at(node, &path))
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.entries.len())
    }
}

/// The place of a value, source, line and column, and then the value.
pub(super) struct LocatedParts<'a> {
    value: Option<NodeDeserializer<'a>>,
    place: std::array::IntoIter<u32, 3>,
}

impl<'a> LocatedParts<'a> {
    pub(super) fn new(value: NodeDeserializer<'a>) -> Self {
        let at = value.node.at;
        Self { value: Some(value), place: [at.source, at.line, at.column].into_iter() }
    }
}

impl<'a> SeqAccess<'a> for LocatedParts<'a> {
    type Error = Error;

    fn next_element_seed<T: DeserializeSeed<'a>>(&mut self, seed: T) -> Result<Option<T::Value>, Error> {
        match self.place.next() {
            Some(number) => seed.deserialize(number.into_deserializer()).map(Some),
            None => self.value.take().map(|value| seed.deserialize(value)).transpose(),
        }
    }
}

/// A text, and then where its parts are written: start, line, column, and whether a reference gave it.
pub(super) struct TextParts<'a> {
    text: Option<&'a str>,
    runs: std::vec::IntoIter<u32>,
}

impl<'a> TextParts<'a> {
    pub(super) fn new(node: &Node, text: &'a str) -> Self {
        let runs = node.runs();
        let numbers = runs.iter().flat_map(|run| [run.start, run.line, run.column, u32::from(run.given)]);
        Self { text: Some(text), runs: numbers.collect::<Vec<_>>().into_iter() }
    }
}

impl<'a> SeqAccess<'a> for TextParts<'a> {
    type Error = Error;

    fn next_element_seed<T: DeserializeSeed<'a>>(&mut self, seed: T) -> Result<Option<T::Value>, Error> {
        match self.text.take() {
            Some(text) => seed.deserialize(text.into_deserializer()).map(Some),
            None => self.runs.next().map(|number| seed.deserialize(number.into_deserializer())).transpose(),
        }
    }
}
