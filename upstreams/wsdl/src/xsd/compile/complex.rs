//! Complex types: what they derive from, their attributes and their content.

use super::{At, Collector, Compiler, DEEPEST, Flaw, attribute::Attributes, simple::restricted};
use crate::{
    name::{ENCODING11, ENCODING12, Name, XSD},
    tree::Element as Node,
    xsd::{
        Simple, Type, TypeId,
        model::{Complex, Content, Particle, Term},
    },
};

/// A type under construction, together with what it derives from.
#[derive(Default)]
struct Parts {
    attributes: Attributes,
    collector: Collector,
    /// The contents in their order: a base's before its own.
    particles: Vec<Particle>,
    simple: Option<Simple>,
    /// Text of a type that is not restricted here.
    text: Option<TypeId>,
    mixed: bool,
}

/// The extension or restriction that a complex type is, if it says so.
pub(super) fn derivation(node: Node<'_>) -> Option<Node<'_>> {
    let content = node.elements().find(|child| child.is(XSD, "complexContent") || child.is(XSD, "simpleContent"))?;
    content.elements().find(|child| child.is(XSD, "extension") || child.is(XSD, "restriction"))
}

fn is_true(node: Node<'_>, attribute: &str) -> bool {
    matches!(node.attribute(attribute), Some("true" | "1"))
}

impl<'i> Compiler<'i> {
    /// A complex type from its declaration.
    pub(super) fn complex_type(&mut self, name: Option<Name>, at: At<'i>) -> Result<Complex, Flaw> {
        let mut parts = Parts::default();
        self.gather(at, 0, &mut parts)?;
        let content = match (parts.text, parts.simple) {
            (Some(text), _) => Content::Simple(text),
            (None, Some(simple)) => Content::Simple(self.push(Type::Simple(simple))),
            (None, None) => {
                let particles = parts.particles;
                let root = Particle { min: 1, max: 1, term: Term::Sequence(particles), slots: Vec::new(), any: false };
                parts.collector.finish(root).map_or(Content::Empty, |group| Content::Elements(Box::new(group)))
            }
        };
        let (attributes, any_attribute) = (parts.attributes.list, parts.attributes.any);
        Ok(Complex {
            name,
            is_abstract: is_true(at.node, "abstract"),
            mixed: parts.mixed,
            attributes,
            any_attribute,
            content,
        })
    }

    fn gather(&mut self, at: At<'i>, depth: u32, parts: &mut Parts) -> Result<(), Flaw> {
        if depth == DEEPEST {
            return Err("complex types derive from themselves".into());
        }
        self.follow()?;
        parts.mixed |= is_true(at.node, "mixed");
        let Some(derived) = derivation(at.node) else {
            if let Some(content) =
                at.parts().find(|part| part.node.local() == "simpleContent" || part.node.local() == "complexContent")
            {
                return Err(format!("{} is neither an extension nor a restriction", content.node.local()).into());
            }
            return self.own(at, parts);
        };
        let content = at.node.elements().find(|child| child.local().ends_with("Content"));
        let is_simple = content.is_some_and(|content| content.local() == "simpleContent");
        parts.mixed |= content.is_some_and(|content| is_true(content, "mixed"));
        let derived = at.to(derived);
        let Some(base) = derived.node.attribute("base") else { return Err("a derivation does not say of what".into()) };
        let base = derived.name(base)?;
        if matches!(&*base.namespace, ENCODING11 | ENCODING12) {
            return Err(format!("{} belongs to rpc/encoded messages, which are not supported", base.local).into());
        }
        let extends = derived.node.local() == "extension";
        if is_simple {
            self.simple_content(derived, &base, extends, depth, parts)
        } else {
            self.complex_content(derived, &base, extends, depth, parts)
        }
    }

    fn complex_content(
        &mut self,
        at: At<'i>,
        base: &Name,
        extends: bool,
        depth: u32,
        parts: &mut Parts,
    ) -> Result<(), Flaw> {
        match self.index.types.get(base).and_then(|place| self.at(*place)) {
            Some(base) => {
                let before = parts.mixed;
                let mut above = Parts::default();
                self.gather(base, depth + 1, if extends { parts } else { &mut above })?;
                if !extends {
                    // A restriction writes its whole content anew, and keeps the attributes that it does not mention.
                    parts.attributes = above.attributes;
                    parts.mixed = before;
                }
            }
            None if &*base.namespace == XSD && &*base.local == "anyType" => {}
            None => return Err(format!("no schema declares the type {base}").into()),
        }
        self.own(at, parts)
    }

    fn simple_content(
        &mut self,
        at: At<'i>,
        base: &Name,
        extends: bool,
        depth: u32,
        parts: &mut Parts,
    ) -> Result<(), Flaw> {
        match self.index.types.get(base).and_then(|place| self.at(*place)) {
            Some(base) if base.node.local() == "complexType" => self.gather(base, depth + 1, parts)?,
            _ if extends => {
                let text = self.named(base);
                parts.text = Some(text);
            }
            _ => parts.simple = Some(self.simple_named(base, depth + 1)?),
        }
        if !extends {
            let inside = at.parts().find(|part| part.node.local() == "simpleType");
            let simple = match (inside, parts.simple.take(), parts.text.take()) {
                (Some(inside), ..) => Some(self.simple_type(inside, depth + 1)?),
                (None, Some(simple), _) => Some(simple),
                (None, None, Some(text)) => self.plain(text, depth + 1)?,
                (None, None, None) => None,
            };
            parts.simple = simple.map(|simple| restricted(simple, at));
        }
        self.attributes(at, 0, &mut parts.attributes)
    }

    /// A copy of a type that may not be compiled yet.
    fn plain(&mut self, id: TypeId, depth: u32) -> Result<Option<Simple>, Flaw> {
        let name = self.schema.named.iter().find(|(_, known)| **known == id).map(|(name, _)| name.clone());
        name.map(|name| self.simple_named(&name, depth)).transpose()
    }

    /// The content and attributes that stand in a declaration itself.
    fn own(&mut self, at: At<'i>, parts: &mut Parts) -> Result<(), Flaw> {
        for part in at.parts() {
            if matches!(part.node.local(), "sequence" | "choice" | "all" | "group") {
                let particle = self.particle(part, 0, &mut parts.collector)?;
                parts.particles.extend(particle);
            }
        }
        self.attributes(at, 0, &mut parts.attributes)
    }
}
