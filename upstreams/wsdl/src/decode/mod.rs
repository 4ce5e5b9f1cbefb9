//! XML becomes JSON: names, lists and types of values are the schema's. The JSON is written in one go.

mod free;
mod json;
mod scalar;

use smallvec::SmallVec;

pub(crate) use free::{form as free_form, members as free_members};

use crate::{
    encode::{TEXT, TYPE},
    name::{Name, XSI},
    tree::Element as Node,
    xsd::{Attribute, Builtin, Complex, Content, Element, Group, Schema, Simple, Type, TypeId},
};

/// Why a reply does not fit its schema, for the log.
#[derive(Debug, thiserror::Error)]
pub enum Unfit {
    /// A value that is not of its type.
    #[error("`{element}` (line {line}) is no {wanted}")]
    Value {
        /// The element that it is in.
        element: String,
        /// Its line, from 1.
        line: u32,
        /// What it should be.
        wanted: &'static str,
    },
    /// Another element than the message's.
    #[error("the body has `{found}` where `{wanted}` belongs")]
    Element {
        /// The element that is there.
        found: String,
        /// The message's.
        wanted: String,
    },
    /// A part that is not there.
    #[error("the body has no `{wanted}`")]
    Missing {
        /// The part.
        wanted: String,
    },
}

/// Reads elements.
#[derive(Debug)]
pub(crate) struct Decoder<'s> {
    schema: &'s Schema,
    pub(crate) out: String,
}

impl<'s> Decoder<'s> {
    pub(crate) fn new(schema: &'s Schema) -> Self {
        Self { schema, out: String::new() }
    }

    /// The value of an element.
    ///
    /// # Errors
    /// A number or a truth value that is none.
    pub(crate) fn element(&mut self, node: Node<'_>, element: &Element) -> Result<(), Unfit> {
        if is_nil(node) {
            self.out.push_str("null");
            return Ok(());
        }
        match self.schema.get(element.kind) {
            Some(Type::Simple(simple)) => self.simple(node, simple, element.default.as_deref()),
            Some(Type::Complex(complex)) => self.typed(node, element.kind, complex),
            Some(Type::Any | Type::Broken(_)) | None => self.any(node),
        }
    }

    /// The text of an element.
    fn simple(&mut self, node: Node<'_>, simple: &Simple, default: Option<&str>) -> Result<(), Unfit> {
        let text = node.text();
        let text = if text.is_empty() { default.unwrap_or("") } else { &text };
        self.value(text, simple).map_err(|wanted| unfit(node, wanted))
    }

    /// An element of a complex type, or of the derived one that it names.
    fn typed(&mut self, node: Node<'_>, declared: TypeId, complex: &Complex) -> Result<(), Unfit> {
        let Some(written) = node.attribute_of(XSI, "type") else { return self.complex(node, complex, None) };
        let named = node.resolve(written);
        let is = |name: &Name| named.is_some_and(|(namespace, local)| name.is(namespace, local));
        if complex.name.as_ref().is_some_and(is) {
            return self.complex(node, complex, None);
        }
        let derived = self.schema.derived_of(declared);
        match derived.iter().find(|(name, _)| is(name)).map(|(name, id)| (name, self.schema.get(*id))) {
            Some((name, Some(Type::Complex(complex)))) => {
                let alone = derived.iter().filter(|(other, _)| other.local == name.local).count() == 1;
                let name = if alone { name.local.to_string() } else { name.to_string() };
                self.complex(node, complex, Some(&name))
            }
            // A type that the schema does not know: all that is there, as it is.
            _ if !complex.is_abstract && named.is_none() => self.complex(node, complex, None),
            _ => {
                free::form(&mut self.out, node);
                Ok(())
            }
        }
    }

    /// An element of any type: of the type that it names, a text, or whatever is there.
    fn any(&mut self, node: Node<'_>) -> Result<(), Unfit> {
        if let Some((namespace, local)) = node.attribute_of(XSI, "type").and_then(|written| node.resolve(written)) {
            if let Some(builtin) = Builtin::of_name(namespace, local) {
                return self.simple(node, &Simple::of(builtin), None);
            }
            match self.schema.named.get(&Name::new(namespace, local)).map(|id| self.schema.get(*id)) {
                Some(Some(Type::Complex(complex))) => return self.complex(node, complex, Some(local)),
                Some(Some(Type::Simple(simple))) => return self.simple(node, simple, None),
                _ => {}
            }
        }
        free::form(&mut self.out, node);
        Ok(())
    }

    fn complex(&mut self, node: Node<'_>, complex: &Complex, named: Option<&str>) -> Result<(), Unfit> {
        let mut object = json::Object::begin(&mut self.out);
        if let Some(name) = named {
            object.key(&mut self.out, TYPE);
            json::string(&mut self.out, name);
        }
        for attribute in node.attributes().filter(|attribute| attribute.namespace != XSI) {
            let is = |known: &&Attribute| known.name.is(attribute.namespace, attribute.local);
            match complex.attributes.iter().find(is) {
                Some(known) => {
                    object.key(&mut self.out, &known.key);
                    match self.schema.simple(known.kind) {
                        Some(simple) => self.value(attribute.value, simple).map_err(|wanted| unfit(node, wanted))?,
                        None => json::string(&mut self.out, attribute.value),
                    }
                }
                None => {
                    object.key(&mut self.out, &format!("@{}", attribute.written));
                    json::string(&mut self.out, attribute.value);
                }
            }
        }
        match &complex.content {
            Content::Simple(kind) => {
                object.key(&mut self.out, TEXT);
                match self.schema.simple(*kind) {
                    Some(simple) => self.simple(node, simple, None)?,
                    None => json::string(&mut self.out, &node.text()),
                }
            }
            Content::Elements(group) => self.group(node, complex, group, &mut object)?,
            Content::Empty => self.group(node, complex, &Group::default(), &mut object)?,
        }
        object.end(&mut self.out);
        Ok(())
    }

    /// The elements in an element: each name's together, in the order of the schema, and behind them what it does not
    /// name.
    fn group(
        &mut self,
        node: Node<'_>,
        complex: &Complex,
        group: &Group,
        object: &mut json::Object,
    ) -> Result<(), Unfit> {
        const UNKNOWN: u16 = u16::MAX;
        let slot_of = |child: Node<'_>| group.slot_named(child.namespace(), child.local()).unwrap_or(UNKNOWN);
        let mut children: SmallVec<[(u16, Node<'_>); 16]> =
            node.elements().map(|child| (slot_of(child), child)).collect();
        children.sort_by_key(|(slot, _)| *slot);
        let mut rest = &children[..];
        for (at, slot) in group.slots.iter().enumerate() {
            let count = rest.iter().take_while(|(slot, _)| usize::from(*slot) == at).count();
            let (own, others) = rest.split_at(count);
            rest = others;
            if own.is_empty() && (!slot.many || slot.chosen) {
                continue;
            }
            object.key(&mut self.out, &slot.key);
            let list = slot.many || own.len() > 1;
            if list {
                self.out.push('[');
            }
            for (index, (_, child)) in own.iter().enumerate() {
                if index > 0 {
                    self.out.push(',');
                }
                self.element(*child, &slot.element)?;
            }
            if list {
                self.out.push(']');
            }
        }
        let taken = |name: &str| group.slot_of(name).is_some();
        free::children(&mut self.out, rest.iter().map(|(_, child)| *child), taken, object);
        if complex.mixed {
            let text = node.text();
            if !text.trim().is_empty() {
                object.key(&mut self.out, TEXT);
                json::string(&mut self.out, text.trim());
            }
        }
        Ok(())
    }
}

/// Whether an element says that it has no value.
pub(crate) fn is_nil(node: Node<'_>) -> bool {
    matches!(node.attribute_of(XSI, "nil").map(str::trim), Some("true" | "1"))
}

fn unfit(node: Node<'_>, wanted: &'static str) -> Unfit {
    Unfit::Value { element: node.local().to_owned(), line: node.line(), wanted }
}
