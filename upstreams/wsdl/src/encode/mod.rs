//! JSON becomes XML: order, namespaces and forms of values are the schema's. The text is written in one go, without a
//! tree in between.

mod content;
mod free;
mod mismatch;
mod scalar;

use callgate_transform::xml::{self, Place};
use serde_json::{Map, Value};

pub use mismatch::Mismatch;

use crate::{
    name::Name,
    xsd::{Attribute, Complex, Content, Element, Schema, Type, TypeId},
};

/// The key that says which derived type a value is of.
pub(crate) const TYPE: &str = "@xsi:type";

/// The key of an element's text beside attributes or elements.
pub(crate) const TEXT: &str = "#text";

/// Writes elements.
#[derive(Debug)]
pub(crate) struct Encoder<'s> {
    schema: &'s Schema,
    pub(crate) out: String,
}

impl<'s> Encoder<'s> {
    /// An encoder that goes on behind some text. The prefixes of the schema, `xsi` and `xsd` have to be declared there.
    pub(crate) fn new(schema: &'s Schema, out: String) -> Self {
        Self { schema, out }
    }

    /// The elements of a message: of one, the value is the message's; several are members.
    ///
    /// # Errors
    /// The first value that does not fit.
    pub(crate) fn parts(&mut self, parts: &'s [Element], value: &Value) -> Result<(), Mismatch> {
        match parts {
            [] => match value {
                Value::Null => Ok(()),
                Value::Object(members) if members.is_empty() => Ok(()),
                _ => Err(Mismatch::new("has to be empty: the operation takes nothing")),
            },
            [one] => self.element(one, value),
            several => {
                let Value::Object(members) = value else { return Err(Mismatch::wanted("an object")) };
                let keys = || several.iter().map(|element| &*element.name.local);
                if let Some(unknown) = members.keys().find(|key| !keys().any(|known| known == key.as_str())) {
                    return Err(Mismatch::unknown(unknown, "the message", keys()));
                }
                several.iter().try_for_each(|element| {
                    let key = &element.name.local;
                    let value = members.get(&**key).unwrap_or(&Value::Null);
                    self.element(element, value).map_err(|mismatch| mismatch.below(key))
                })
            }
        }
    }

    /// An element with its value.
    pub(crate) fn element(&mut self, element: &'s Element, value: &Value) -> Result<(), Mismatch> {
        if value.is_null() && element.nillable {
            self.push(["<", &element.tag, " xsi:nil=\"true\"/>"]);
            return Ok(());
        }
        match self.schema.get(element.kind) {
            Some(Type::Simple(simple)) => {
                self.push(["<", &element.tag, ">"]);
                let start = self.out.len();
                self.scalar(simple, value, Place::Text)?;
                if let Some(fixed) = &element.fixed
                    && self.out.get(start..) != Some(&**fixed)
                {
                    return Err(Mismatch::wanted(&format!("`{fixed}`")));
                }
                self.push(["</", &element.tag, ">"]);
                Ok(())
            }
            Some(Type::Complex(complex)) => self.complex(element, complex, value),
            Some(Type::Any) => self.any(element, value),
            Some(Type::Broken(_)) | None => Err(Mismatch::new("is of a type that the schema does not tell")),
        }
    }

    /// An element of a complex type, or of the derived one that the value names.
    fn complex(&mut self, element: &'s Element, declared: &'s Complex, value: &Value) -> Result<(), Mismatch> {
        let empty = Map::new();
        let members = match value {
            Value::Object(members) => members,
            Value::Null => &empty,
            scalar => return self.bare(element, declared, scalar),
        };
        self.push(["<", &element.tag]);
        let complex = match members.get(TYPE) {
            Some(name) => self.substitute(element, declared, name)?,
            None if declared.is_abstract => return Err(self.needs_type(element.kind)),
            None => declared,
        };
        self.members(&element.tag, complex, members)
    }

    /// The rest of an element whose tag has begun: attributes, content and its end.
    fn members(&mut self, tag: &str, complex: &'s Complex, members: &Map<String, Value>) -> Result<(), Mismatch> {
        for attribute in &complex.attributes {
            self.attribute(attribute, members.get(&*attribute.key))?;
        }
        for (key, value) in members.iter().filter(|(key, _)| key.starts_with('@') && *key != TYPE) {
            if !complex.attributes.iter().any(|attribute| *attribute.key == **key) {
                self.other_attribute(complex, key, value)?;
            }
        }
        let head = self.out.len();
        self.out.push('>');
        match &complex.content {
            Content::Simple(kind) => self.text(*kind, members)?,
            Content::Elements(group) => self.group(complex, group, members)?,
            Content::Empty => {
                if let Some(unknown) = members.keys().find(|key| !key.starts_with('@')) {
                    return Err(Mismatch::unknown(unknown, &self.title(complex), std::iter::empty()));
                }
            }
        }
        if self.out.len() == head + 1 {
            self.out.truncate(head);
            self.out.push_str("/>");
        } else {
            self.push(["</", tag, ">"]);
        }
        Ok(())
    }

    /// A value that is no object, for an element that has text and attributes: its text.
    fn bare(&mut self, element: &'s Element, complex: &'s Complex, value: &Value) -> Result<(), Mismatch> {
        let Content::Simple(kind) = &complex.content else { return Err(Mismatch::wanted("an object")) };
        self.push(["<", &element.tag]);
        complex.attributes.iter().try_for_each(|attribute| self.attribute(attribute, None))?;
        self.out.push('>');
        if let Some(simple) = self.schema.simple(*kind) {
            self.scalar(simple, value, Place::Text)?;
        }
        self.push(["</", &element.tag, ">"]);
        Ok(())
    }

    fn text(&mut self, kind: TypeId, members: &Map<String, Value>) -> Result<(), Mismatch> {
        if let Some(unknown) = members.keys().find(|key| !key.starts_with('@') && *key != TEXT) {
            return Err(Mismatch::unknown(unknown, "the element", [TEXT].into_iter()));
        }
        let Some(simple) = self.schema.simple(kind) else { return Ok(()) };
        match members.get(TEXT) {
            Some(Value::Null) | None => {
                simple.check("", self.schema).map_err(|_| Mismatch::new("is missing").below(TEXT))
            }
            Some(value) => self.scalar(simple, value, Place::Text).map_err(|mismatch| mismatch.below(TEXT)),
        }
    }

    fn attribute(&mut self, attribute: &Attribute, value: Option<&Value>) -> Result<(), Mismatch> {
        let below = |mismatch: Mismatch| mismatch.below(&attribute.key);
        let fixed;
        let value = match (value, &attribute.fixed) {
            (Some(Value::Null) | None, Some(text)) if attribute.required => {
                fixed = Value::from(&**text);
                &fixed
            }
            (Some(Value::Null) | None, _) => {
                return if attribute.required { Err(below(Mismatch::new("is missing"))) } else { Ok(()) };
            }
            (Some(value), _) => value,
        };
        self.push([" ", &attribute.tag, "=\""]);
        if let Some(simple) = self.schema.simple(attribute.kind) {
            self.scalar(simple, value, Place::Attribute).map_err(below)?;
        }
        self.out.push('"');
        Ok(())
    }

    /// Says which type an element is of, and gives it.
    fn substitute(&mut self, element: &Element, declared: &'s Complex, name: &Value) -> Result<&'s Complex, Mismatch> {
        let derived = self.schema.derived_of(element.kind);
        let Some(text) = name.as_str() else { return Err(Mismatch::wanted("the name of a type").below(TYPE)) };
        if !declared.is_abstract && declared.name.as_ref().is_some_and(|own| is_called(own, text)) {
            return Ok(declared);
        }
        let mut named = derived.iter().filter(|(name, _)| is_called(name, text));
        let found = named.next();
        if named.next().is_some() {
            return Err(Mismatch::new("means several types; write it as `{namespace}name`").below(TYPE));
        }
        match found.map(|(name, id)| (name, self.schema.get(*id))) {
            Some((name, Some(Type::Complex(complex)))) => {
                self.push_type(name);
                Ok(complex)
            }
            _ => Err(Mismatch::unknown_type(derived.iter().map(|(name, _)| &*name.local))),
        }
    }

    fn push_type(&mut self, name: &Name) {
        match self.schema.prefix(&name.namespace) {
            Some(prefix) => self.push([" xsi:type=\"n", &prefix.to_string(), ":", &name.local, "\""]),
            None => self.push([" xsi:type=\"", &name.local, "\""]),
        }
    }

    fn needs_type(&self, kind: TypeId) -> Mismatch {
        Mismatch::unknown_type(self.schema.derived_of(kind).iter().map(|(name, _)| &*name.local))
    }

    /// What messages call a type.
    fn title(&self, complex: &Complex) -> String {
        complex.name.as_ref().map_or_else(|| "the element".to_owned(), |name| format!("`{}`", name.local))
    }

    fn push<const N: usize>(&mut self, parts: [&str; N]) {
        self.out.extend(parts);
    }

    /// Writes text so that XML reads it as it is.
    fn escape(&mut self, text: &str, place: Place) -> Result<(), Mismatch> {
        xml::escape(&mut self.out, text, place).map_err(|_| Mismatch::new("has a character that XML cannot hold"))
    }
}

/// Whether a text names a type, by its local name or in full.
pub(crate) fn is_called(name: &Name, text: &str) -> bool {
    match text.strip_prefix('{').and_then(|text| text.split_once('}')) {
        Some((namespace, local)) => name.is(namespace, local),
        None => &*name.local == text,
    }
}
