//! The tree of a document: values that know where they were written.

use std::{fmt, sync::Arc};

use callgate_transform::{Position, Run};

use crate::{Substituted, layout};

/// A place in a source: a run of characters that starts in one line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    /// Index of the file among those that the document is made of.
    pub source: u32,
    /// Line, from 1; 0 when the place is not known.
    pub line: u32,
    /// Column in characters, from 1.
    pub column: u32,
    /// Length in characters; it may reach beyond the end of the line.
    pub length: u32,
}

impl From<Span> for Position {
    fn from(at: Span) -> Self {
        Self { source: at.source, line: at.line, column: at.column }
    }
}

/// The length is not known and taken to be one character.
impl From<Position> for Span {
    fn from(at: Position) -> Self {
        Self { source: at.source, line: at.line, column: at.column, length: u32::from(at.is_known()) }
    }
}

/// A key of a mapping.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// The key's text; a key is always text, whatever it looks like.
    pub text: Box<str>,
    /// Where the key is written.
    pub at: Span,
}

/// The value of a node in the terms of YAML's core schema.
#[derive(Clone, PartialEq)]
pub enum Value {
    /// `null`, `~` or nothing at all.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A whole number, decimal, `0x` or `0o`.
    Integer(i128),
    /// Any other number.
    Float(f64),
    /// Text.
    String(String),
    /// A list.
    Sequence(Vec<Node>),
    /// A mapping, in the order of the document, without repeated keys.
    Mapping(Vec<(Key, Node)>),
}

/// A value with its place.
#[derive(Clone, PartialEq)]
pub struct Node {
    /// The value, with references filled in.
    pub value: Value,
    /// Where it is written.
    pub at: Span,
    /// What a scalar other than a string was written as: `1.10` is the number 1.1 but the text "1.10".
    pub text: Option<Box<str>>,
    /// Whether a scalar is written without quotes, so that its text decides its type.
    pub plain: bool,
    /// What the scalar said before its references were filled in.
    pub substituted: Option<Box<Substituted>>,
    /// Where the parts of a scalar are written, when it does not simply begin at its place.
    pub runs: Option<Arc<[Run]>>,
}

impl Node {
    /// Joins a value and its place.
    #[must_use]
    pub const fn new(value: Value, at: Span) -> Self {
        Self { value, at, text: None, plain: false, substituted: None, runs: None }
    }

    /// The entries of a mapping; none for any other value.
    #[must_use]
    pub fn entries(&self) -> &[(Key, Self)] {
        match &self.value {
            Value::Mapping(entries) => entries,
            Value::Null
            | Value::Bool(_)
            | Value::Integer(_)
            | Value::Float(_)
            | Value::String(_)
            | Value::Sequence(_) => &[],
        }
    }

    /// The items of a list; none for any other value.
    #[must_use]
    pub fn items(&self) -> &[Self] {
        if let Value::Sequence(items) = &self.value { items } else { &[] }
    }

    /// The value under a key of a mapping.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Self> {
        self.entry(key).map(|(_, value)| value)
    }

    /// The key, with its place, and the value under it.
    #[must_use]
    pub fn entry(&self, key: &str) -> Option<&(Key, Self)> {
        self.entries().iter().find(|(found, _)| &*found.text == key)
    }

    /// The text of a string.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        if let Value::String(text) = &self.value { Some(text) } else { None }
    }

    /// Whether nothing is given: `null`, `~` or an empty value.
    #[must_use]
    pub const fn is_null(&self) -> bool {
        matches!(self.value, Value::Null)
    }

    /// Whether the value came, wholly or partly, out of a reference and so may be secret.
    #[must_use]
    pub const fn is_substituted(&self) -> bool {
        self.substituted.is_some()
    }

    /// Whether a reference here or below could not be resolved, so that what reads it lacks the value.
    #[must_use]
    pub fn lacks_reference(&self) -> bool {
        match &self.value {
            Value::Sequence(items) => items.iter().any(Self::lacks_reference),
            Value::Mapping(entries) => entries.iter().any(|(_, value)| value.lacks_reference()),
            Value::Null | Value::Bool(_) | Value::Integer(_) | Value::Float(_) | Value::String(_) => {
                self.substituted.as_ref().is_some_and(|substituted| substituted.missing)
            }
        }
    }

    /// Whether two nodes say the same, wherever they are written and whether by references or not.
    #[must_use]
    pub fn says_the_same(&self, other: &Self) -> bool {
        match (&self.value, &other.value) {
            (Value::Sequence(these), Value::Sequence(those)) => {
                these.len() == those.len() && these.iter().zip(those).all(|(one, other)| one.says_the_same(other))
            }
            (Value::Mapping(these), Value::Mapping(those)) => {
                let same = |((key, value), (other, its)): (&(Key, Self), &(Key, Self))| {
                    key.text == other.text && value.says_the_same(its)
                };
                these.len() == those.len() && these.iter().zip(those).all(same)
            }
            // The text too: 1.10 may be read as text.
            _ => self.value == other.value && self.scalar_text() == other.scalar_text(),
        }
    }

    /// A copy of a mapping that lacks the named keys; any other value is copied as it is.
    #[must_use]
    pub fn without(&self, keys: &[&str]) -> Self {
        self.filtered(|key| !keys.contains(&key))
    }

    /// A mapping parted in two: the entries of the named keys, and the remaining ones.
    ///
    /// Both parts keep the place of the mapping.
    #[must_use]
    pub fn split(&self, keys: &[&str]) -> (Self, Self) {
        (self.filtered(|key| keys.contains(&key)), self.without(keys))
    }

    fn filtered(&self, keep: impl Fn(&str) -> bool) -> Self {
        let Value::Mapping(entries) = &self.value else { return self.clone() };
        let kept = entries.iter().filter(|(key, _)| keep(&key.text)).cloned().collect();
        Self::new(Value::Mapping(kept), self.at)
    }

    /// The scalar as text: what was written, or what its references were replaced by.
    #[must_use]
    pub fn scalar_text(&self) -> Option<&str> {
        match &self.value {
            Value::String(text) => Some(text),
            Value::Null | Value::Bool(_) | Value::Integer(_) | Value::Float(_) => {
                Some(self.text.as_deref().unwrap_or(""))
            }
            Value::Sequence(_) | Value::Mapping(_) => None,
        }
    }

    /// What stands behind a byte of a string, with the places where it is written.
    #[must_use]
    pub fn behind(&self, offset: usize) -> Self {
        let text = self.scalar_text().unwrap_or_default();
        let runs = Run::behind(&self.runs(), text, offset);
        let value = Value::String(text.get(offset..).unwrap_or_default().to_owned());
        Self { runs: Some(runs.into()), ..Self::new(value, self.at) }
    }

    /// Where the parts of a scalar are written.
    #[must_use]
    pub fn runs(&self) -> Arc<[Run]> {
        self.runs.clone().unwrap_or_else(|| layout::plain(self.at, !self.plain).into())
    }

    /// What the document says here, with the reference in place of its value.
    #[must_use]
    pub fn shown_text(&self) -> Option<&str> {
        match &self.substituted {
            Some(substituted) => Some(&substituted.original),
            None => self.scalar_text(),
        }
    }

    /// This node and all below it, counted.
    pub(crate) fn size(&self) -> usize {
        1 + match &self.value {
            Value::Sequence(items) => items.iter().map(Self::size).sum(),
            Value::Mapping(entries) => entries.iter().map(|(_, value)| value.size()).sum(),
            Value::Null | Value::Bool(_) | Value::Integer(_) | Value::Float(_) | Value::String(_) => 0,
        }
    }

    /// How many levels of collections begin here.
    pub(crate) fn depth(&self) -> usize {
        match &self.value {
            Value::Sequence(items) => 1 + items.iter().map(Self::depth).max().unwrap_or(0),
            Value::Mapping(entries) => 1 + entries.iter().map(|(_, value)| value.depth()).max().unwrap_or(0),
            Value::Null | Value::Bool(_) | Value::Integer(_) | Value::Float(_) | Value::String(_) => 0,
        }
    }
}

/// Shows references in place of the values they gave.
impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.substituted {
            Some(substituted) => write!(f, "{:?}", substituted.original),
            None => self.value.fmt(f),
        }
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Bool(value) => value.fmt(f),
            Self::Integer(value) => value.fmt(f),
            Self::Float(value) => value.fmt(f),
            Self::String(value) => value.fmt(f),
            Self::Sequence(items) => f.debug_list().entries(items).finish(),
            Self::Mapping(entries) => {
                f.debug_map().entries(entries.iter().map(|(key, value)| (&key.text, value))).finish()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mapping(keys: &[&str]) -> Node {
        let entry =
            |key: &&str| (Key { text: (*key).into(), at: Span::default() }, Node::new(Value::Null, Span::default()));
        Node::new(Value::Mapping(keys.iter().map(entry).collect()), Span::default())
    }

    fn keys(node: &Node) -> Vec<&str> {
        node.entries().iter().map(|(key, _)| &*key.text).collect()
    }

    #[test]
    fn split_keeps_the_order_of_the_document_in_both_parts() {
        let (named, others) = mapping(&["weight", "a", "upstream", "b"]).split(&["upstream", "weight"]);
        assert_eq!(keys(&named), ["weight", "upstream"]);
        assert_eq!(keys(&others), ["a", "b"]);
    }

    #[test]
    fn get_finds_by_key_and_nothing_in_a_scalar() {
        assert!(mapping(&["a"]).get("a").is_some());
        assert!(mapping(&["a"]).get("b").is_none());
        assert!(Node::new(Value::Bool(true), Span::default()).get("a").is_none());
    }
}
