//! The parts of all WSDL documents by name.

use std::{collections::HashMap, sync::Arc};

use crate::{
    documents::Documents,
    name::{Name, WSDL},
    tree::{Element, Tree},
};

/// An element of a WSDL document, with the document's location.
#[derive(Clone, Copy, Debug)]
pub(super) struct Part<'d> {
    pub(super) node: Element<'d>,
    pub(super) location: &'d str,
}

/// What WSDL documents define.
#[derive(Debug, Default)]
pub(super) struct Definitions<'d> {
    pub(super) services: Vec<Part<'d>>,
    pub(super) bindings: Vec<(Name, Part<'d>)>,
    port_types: HashMap<Name, Part<'d>>,
    messages: HashMap<Name, Part<'d>>,
}

impl<'d> Definitions<'d> {
    pub(super) fn new(documents: &'d Documents) -> Self {
        let mut found = Self::default();
        for (location, tree) in documents.all() {
            found.add(location, tree);
        }
        found
    }

    fn add(&mut self, location: &'d str, tree: &'d Tree) {
        let root = tree.root();
        if !root.is(WSDL, "definitions") {
            return;
        }
        let namespace = root.attribute("targetNamespace").unwrap_or("");
        for node in root.elements().filter(|child| child.namespace() == WSDL) {
            let part = Part { node, location };
            let Some(name) = node.attribute("name") else { continue };
            let name = Name::new(namespace, name);
            match node.local() {
                "service" => self.services.push(part),
                "binding" => self.bindings.push((name, part)),
                "portType" => drop(self.port_types.insert(name, part)),
                "message" => drop(self.messages.insert(name, part)),
                _ => {}
            }
        }
    }

    pub(super) fn binding(&self, name: &Name) -> Option<Part<'d>> {
        self.bindings.iter().find(|(known, _)| known == name).map(|(_, part)| *part)
    }

    pub(super) fn port_type(&self, name: &Name) -> Option<Part<'d>> {
        self.port_types.get(name).copied()
    }

    pub(super) fn message(&self, name: &Name) -> Option<Part<'d>> {
        self.messages.get(name).copied()
    }
}

impl<'d> Part<'d> {
    /// A node of the same document.
    pub(super) fn to(self, node: Element<'d>) -> Self {
        Self { node, ..self }
    }

    /// Children of this name of WSDL itself.
    pub(super) fn parts(self, local: &'static str) -> impl Iterator<Item = Self> {
        self.node.elements().filter(move |child| child.is(WSDL, local)).map(move |node| self.to(node))
    }

    /// The name that an attribute's value means.
    pub(super) fn name_of(self, attribute: &str) -> Result<Name, String> {
        let value = self.node.attribute(attribute).ok_or_else(|| self.wrong(&format!("has no `{attribute}`")))?;
        self.node.name_in(value).map_err(|flaw| self.wrong(&flaw))
    }

    /// A complaint with its place.
    pub(super) fn wrong(self, complaint: &str) -> String {
        format!("{}, line {}: {} {complaint}", self.location, self.node.line(), self.node.local())
    }

    /// What the document says about it in words.
    pub(super) fn note(self) -> Option<Arc<str>> {
        const LONGEST: usize = 200;
        let text = self.node.child(WSDL, "documentation")?.text();
        let mut words = text.split_whitespace().collect::<Vec<_>>().join(" ");
        if words.len() > LONGEST {
            let end = (0..=LONGEST).rev().find(|at| words.is_char_boundary(*at)).unwrap_or(0);
            words.truncate(end);
            words.push('…');
        }
        (!words.is_empty()).then(|| words.into())
    }
}
