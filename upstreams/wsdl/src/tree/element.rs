//! Looking at a tree.

use std::borrow::Cow;

use super::{NONE, Node, Tree};
use crate::name::{Name, XML};

/// An element of a tree.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Element<'t> {
    pub(super) tree: &'t Tree,
    pub(super) id: u32,
}

/// What stands in an element.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Child<'t> {
    Element(Element<'t>),
    Text(&'t str),
}

/// An attribute that is no namespace declaration.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Attribute<'t> {
    /// The name as it is written.
    pub(crate) written: &'t str,
    pub(crate) namespace: &'t str,
    pub(crate) local: &'t str,
    pub(crate) value: &'t str,
}

impl<'t> Element<'t> {
    fn node(self) -> Option<&'t Node> {
        self.tree.node(self.id)
    }

    /// Its number in the tree.
    pub(crate) fn id(self) -> u32 {
        self.id
    }

    /// The name as it is written.
    pub(crate) fn written(self) -> &'t str {
        self.node().map_or("", |node| self.tree.characters(node.span))
    }

    pub(crate) fn local(self) -> &'t str {
        self.node().map_or("", |node| self.tree.characters((node.local, node.span.1)))
    }

    pub(crate) fn namespace(self) -> &'t str {
        self.node().map_or("", |node| self.tree.namespace(node.namespace))
    }

    pub(crate) fn is(self, namespace: &str, local: &str) -> bool {
        self.local() == local && self.namespace() == namespace
    }

    /// The line of the document on which it begins.
    pub(crate) fn line(self) -> u32 {
        self.node().map_or(0, |node| node.line)
    }

    pub(crate) fn attributes(self) -> impl Iterator<Item = Attribute<'t>> {
        let range = self.node().map_or(0..0, |node| node.attributes.0 as usize..node.attributes.1 as usize);
        let tree = self.tree;
        tree.attributes.get(range).unwrap_or_default().iter().map(move |attribute| Attribute {
            written: tree.characters(attribute.name),
            namespace: tree.namespace(attribute.namespace),
            local: tree.characters((attribute.local, attribute.name.1)),
            value: tree.characters(attribute.value),
        })
    }

    /// The value of an attribute without a namespace.
    pub(crate) fn attribute(self, name: &str) -> Option<&'t str> {
        self.attribute_of("", name)
    }

    pub(crate) fn attribute_of(self, namespace: &str, local: &str) -> Option<&'t str> {
        let mut attributes = self.attributes();
        attributes.find(|found| found.local == local && found.namespace == namespace).map(|found| found.value)
    }

    pub(crate) fn children(self) -> impl Iterator<Item = Child<'t>> {
        let tree = self.tree;
        let mut next = self.node().map_or(NONE, |node| node.first);
        std::iter::from_fn(move || {
            let (id, node) = (next, tree.node(next)?);
            next = node.next;
            Some(match node.local {
                NONE => Child::Text(tree.characters(node.span)),
                _ => Child::Element(Element { tree, id }),
            })
        })
    }

    pub(crate) fn elements(self) -> impl Iterator<Item = Self> {
        self.children().filter_map(|child| match child {
            Child::Element(element) => Some(element),
            Child::Text(_) => None,
        })
    }

    /// The first child of this name.
    pub(crate) fn child(self, namespace: &str, local: &str) -> Option<Self> {
        self.elements().find(|child| child.is(namespace, local))
    }

    /// The text right in it.
    pub(crate) fn text(self) -> Cow<'t, str> {
        let mut texts = self.children().filter_map(|child| match child {
            Child::Text(text) => Some(text),
            Child::Element(_) => None,
        });
        let Some(first) = texts.next() else { return Cow::Borrowed("") };
        let Some(second) = texts.next() else { return Cow::Borrowed(first) };
        let mut whole = [first, second].concat();
        whole.extend(texts);
        Cow::Owned(whole)
    }

    /// Namespace and local part of a name that stands in a value here, as in `type="tns:Order"`; `None` where its prefix
    /// is not declared.
    pub(crate) fn resolve<'v>(self, value: &'v str) -> Option<(&'t str, &'v str)> {
        let value = value.trim();
        let (prefix, local) = value.split_once(':').unwrap_or(("", value));
        if prefix == "xml" {
            return Some((XML, local));
        }
        match self.tree.declared(self.node()?.scope, prefix) {
            Some(namespace) => Some((self.tree.namespace(namespace), local)),
            None => prefix.is_empty().then_some(("", local)),
        }
    }

    /// The namespace that a prefix stands for here.
    pub(crate) fn declared(self, prefix: &str) -> Option<&'t str> {
        Some(self.tree.namespace(self.tree.declared(self.node()?.scope, prefix)?))
    }

    /// The name that a value here means, or the value itself where its prefix is not declared.
    pub(crate) fn name_in(self, value: &str) -> Result<Name, String> {
        match self.resolve(value) {
            Some((namespace, local)) => Ok(Name::new(namespace, local)),
            None => Err(format!("`{}` has a prefix that is not declared", value.trim())),
        }
    }
}
