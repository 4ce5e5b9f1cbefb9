//! What the schema leaves open: elements and attributes of any name, in the form in which XML is read elsewhere in the
//! gateway (`@name`, `#text`, lists), and values of any type.

use callgate_transform::xml::{Place, is_name};
use serde_json::{Map, Value};

use super::{Encoder, Mismatch, TEXT, TYPE, is_called};
use crate::xsd::{Builtin, Complex, Element, Type};

/// Prefixes that every envelope declares.
const DECLARED: [&str; 3] = ["xsi", "xsd", "xml"];

impl<'s> Encoder<'s> {
    /// An element of any type: what the value's own form says, or the type that it names.
    pub(super) fn any(&mut self, element: &'s Element, value: &Value) -> Result<(), Mismatch> {
        let kind = match value {
            Value::String(_) => "string",
            Value::Bool(_) => "boolean",
            Value::Number(number) if number.is_i64() => "long",
            Value::Number(number) if number.is_u64() => "unsignedLong",
            Value::Number(_) => "double",
            Value::Null => {
                self.push(["<", &element.tag, "/>"]);
                return Ok(());
            }
            Value::Array(_) => return Err(Mismatch::wanted("a single value")),
            Value::Object(members) => return self.any_object(element, members),
        };
        self.push(["<", &element.tag, " xsi:type=\"xsd:", kind, "\">"]);
        match value {
            Value::String(text) => self.escape(text, Place::Text)?,
            value => self.push([&value.to_string()]),
        }
        self.push(["</", &element.tag, ">"]);
        Ok(())
    }

    fn any_object(&mut self, element: &'s Element, members: &Map<String, Value>) -> Result<(), Mismatch> {
        let Some(text) = members.get(TYPE).and_then(Value::as_str) else {
            return self.free(&element.tag, members, &mut Vec::new());
        };
        let schema = self.schema;
        let mut named = schema.named.iter().filter(|(name, _)| is_called(name, text));
        let (Some((name, id)), None) = (named.next(), named.next()) else {
            return Err(Mismatch::new("is the name of no type, or of several").below(TYPE));
        };
        let Some(Type::Complex(complex)) = schema.get(*id) else {
            return Err(Mismatch::new("is no type of an object").below(TYPE));
        };
        self.push(["<", &element.tag]);
        self.push_type(name);
        self.members(&element.tag, complex, members)
    }

    /// An element that the schema does not name, or several.
    pub(super) fn others(&mut self, key: &str, value: &Value) -> Result<(), Mismatch> {
        self.child(key, value, &mut Vec::new()).map_err(|mismatch| mismatch.below(key))
    }

    /// An attribute that the schema does not name.
    pub(super) fn other_attribute(&mut self, complex: &Complex, key: &str, value: &Value) -> Result<(), Mismatch> {
        if !complex.any_attribute && !key.starts_with("@xmlns") {
            let known = complex.attributes.iter().map(|attribute| &*attribute.key);
            return Err(Mismatch::unknown(key, &self.title(complex), known));
        }
        self.free_attribute(key, value)
    }

    fn child(&mut self, name: &str, value: &Value, prefixes: &mut Vec<String>) -> Result<(), Mismatch> {
        match value {
            Value::Array(items) => items.iter().try_for_each(|item| match item {
                Value::Array(_) => Err(Mismatch::wanted("a single value")),
                item => self.child(name, item, prefixes),
            }),
            Value::Object(members) => {
                let before = prefixes.len();
                prefixes.extend(members.keys().filter_map(|key| Some(key.strip_prefix("@xmlns:")?.to_owned())));
                let done = check(name, prefixes).and_then(|()| self.free(name, members, prefixes));
                prefixes.truncate(before);
                done
            }
            scalar => {
                check(name, prefixes)?;
                self.push(["<", name, ">"]);
                self.escape(&text_of(scalar), Place::Text)?;
                self.push(["</", name, ">"]);
                Ok(())
            }
        }
    }

    fn free(&mut self, name: &str, members: &Map<String, Value>, prefixes: &mut Vec<String>) -> Result<(), Mismatch> {
        self.push(["<", name]);
        for (key, value) in members.iter().filter(|(key, _)| key.starts_with('@')) {
            if !key.starts_with("@xmlns") {
                check(&key[1..], prefixes).map_err(|mismatch| mismatch.below(key))?;
            }
            self.free_attribute(key, value)?;
        }
        self.out.push('>');
        for (key, value) in members.iter().filter(|(key, _)| !key.starts_with('@')) {
            if key == TEXT {
                self.escape(&text_of(value), Place::Text).map_err(|mismatch| mismatch.below(TEXT))?;
            } else {
                self.child(key, value, prefixes).map_err(|mismatch| mismatch.below(key))?;
            }
        }
        self.push(["</", name, ">"]);
        Ok(())
    }

    fn free_attribute(&mut self, key: &str, value: &Value) -> Result<(), Mismatch> {
        let name = key.strip_prefix('@').unwrap_or(key);
        if !is_name(name) {
            return Err(Mismatch::new("is no name of XML").below(key));
        }
        if value.is_array() || value.is_object() {
            return Err(Mismatch::wanted("a single value").below(key));
        }
        self.push([" ", name, "=\""]);
        self.escape(&text_of(value), Place::Attribute).map_err(|mismatch| mismatch.below(key))?;
        self.out.push('"');
        Ok(())
    }
}

/// Whether a name can be written, with a prefix that is declared.
fn check(name: &str, prefixes: &[String]) -> Result<(), Mismatch> {
    if !is_name(name) || name.ends_with(':') {
        return Err(Mismatch::new("is no name of XML"));
    }
    match name.split_once(':') {
        Some((prefix, _)) if !DECLARED.contains(&prefix) && !prefixes.iter().any(|known| known == prefix) => {
            Err(Mismatch::new(format!("has a prefix that is not declared; add the member `@xmlns:{prefix}` to it")))
        }
        _ => Ok(()),
    }
}

fn text_of(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        value => value.to_string(),
    }
}

impl Builtin {
    /// The type of this name, if `xsd:NAME` is one.
    pub(crate) fn of_name(namespace: &str, local: &str) -> Option<Self> {
        (namespace == crate::name::XSD).then(|| Self::named(local)).flatten()
    }
}
