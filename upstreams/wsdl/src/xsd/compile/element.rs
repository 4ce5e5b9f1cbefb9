//! Elements: global ones, local ones, and those that stand for others.

use std::{collections::HashSet, sync::Arc};

use super::{At, Compiler, Flaw};
use crate::{
    name::{Name, XSD},
    xsd::{Element, TypeId},
};

impl<'i> Compiler<'i> {
    /// A global element.
    pub(super) fn global(&mut self, name: &Name, at: At<'i>) -> Element {
        self.declared(name.clone(), at)
    }

    /// A local element, or the global one that it refers to.
    pub(super) fn local(&mut self, at: At<'i>) -> Result<Element, Flaw> {
        if let Some(reference) = at.node.attribute("ref") {
            let name = at.name(reference)?;
            return match self.index.elements.get(&name).and_then(|place| self.at(*place)) {
                Some(at) => Ok(self.declared(name, at)),
                None if &*name.namespace == XSD && &*name.local == "schema" => {
                    // ADO.NET sends its schema along with its data.
                    let kind = self.any();
                    Ok(self.made_up_element(name, kind))
                }
                None => Err(format!("no schema declares the element {name}").into()),
            };
        }
        let Some(local) = at.node.attribute("name") else {
            return Err("an element has neither a name nor a reference".into());
        };
        let qualified = match at.node.attribute("form") {
            Some(form) => form == "qualified",
            None => at.source.qualified_elements,
        };
        let namespace = if qualified { Arc::clone(&at.source.target) } else { "".into() };
        let name = Name::declared(namespace, local);
        Ok(self.declared(name.ok_or("an element has a name that is none of XML")?, at))
    }

    fn declared(&mut self, name: Name, at: At<'i>) -> Element {
        let node = at.node;
        let is = |attribute: &str| matches!(node.attribute(attribute), Some("true" | "1"));
        let kind = self
            .kind(at)
            .unwrap_or_else(|flaw| self.broken(format!("{}, line {}: {flaw}", at.source.location, node.line())));
        let text = |attribute: &str| node.attribute(attribute).map(Arc::from);
        Element {
            tag: self.tag(&name),
            name,
            kind,
            nillable: is("nillable"),
            is_abstract: is("abstract"),
            fixed: text("fixed"),
            default: text("default"),
            note: note(node),
        }
    }

    /// The type of an element: named, in its declaration, that of the element that it may stand for, or any.
    fn kind(&mut self, at: At<'i>) -> Result<TypeId, Flaw> {
        if let Some(name) = at.node.attribute("type") {
            let name = at.name(name)?;
            return Ok(self.named(&name));
        }
        if let Some(inside) = at.parts().find(|part| matches!(part.node.local(), "simpleType" | "complexType")) {
            return Ok(self.anonymous(inside));
        }
        if let Some(head) = at.node.attribute("substitutionGroup") {
            let head = at.name(head)?;
            if let Some(head) = self.index.elements.get(&head).and_then(|place| self.at(*place))
                && head.node.id() != at.node.id()
                && head.node.attribute("substitutionGroup").is_none()
            {
                return self.kind(head);
            }
        }
        Ok(self.any())
    }

    /// Which elements stand for which.
    pub(super) fn find_substitutes(&mut self) {
        for (name, place) in &self.index.elements {
            let Some(at) = self.at(*place) else { continue };
            if let Some(head) = at.node.attribute("substitutionGroup").and_then(|head| at.name(head).ok()) {
                self.substitutes.entry(head).or_default().push(name.clone());
            }
        }
        self.substitutes.values_mut().for_each(|members| members.sort_unstable());
    }

    /// The elements that may stand for one, those that stand for them included.
    ///
    /// # Errors
    /// With too many, all references to them together.
    pub(super) fn substitutes_of(&mut self, head: &Name) -> Result<Vec<Element>, Flaw> {
        let mut names = self.substitutes.get(head).cloned().unwrap_or_default();
        let mut seen: HashSet<_> = names.iter().cloned().collect();
        let mut next = 0;
        while let Some(name) = names.get(next) {
            let more = self.substitutes.get(name).into_iter().flatten();
            let more: Vec<_> = more.filter(|name| seen.insert((*name).clone())).cloned().collect();
            names.extend(more);
            next += 1;
        }
        let mut found = Vec::with_capacity(names.len());
        for name in names {
            self.follow()?;
            if let Some(at) = self.index.elements.get(&name).and_then(|place| self.at(*place)) {
                found.push(self.declared(name, at));
            }
        }
        Ok(found)
    }
}

/// The documentation of a declaration, its white space made single spaces.
fn note(node: crate::tree::Element<'_>) -> Option<Arc<str>> {
    const LONGEST: usize = 200;
    let text = node.child(XSD, "annotation")?.child(XSD, "documentation")?.text();
    let mut words = String::new();
    for word in text.split_whitespace() {
        if words.len() + word.len() > LONGEST {
            words.push_str(" …");
            break;
        }
        if !words.is_empty() {
            words.push(' ');
        }
        words.push_str(word);
    }
    (!words.is_empty()).then(|| words.into())
}
