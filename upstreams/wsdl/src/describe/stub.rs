//! The input of an operation as templates over a body of the same form, to be changed at will.

use serde_json::{Map, Value};

use crate::{
    wsdl::Message,
    xsd::{Content, Element, Group, Schema, Type},
};

/// Levels of objects that are written out.
const DEEPEST: usize = 2;

/// The tree of templates that gives a message what is in a body of its own form.
pub(crate) fn stub(schema: &Schema, message: &Message) -> Value {
    match message.parts.as_slice() {
        [one] => element(schema, one, "body", true, 0),
        several => {
            let part = |part: &Element| {
                (part.name.local.to_string(), element(schema, part, &below("body", &part.name.local), true, 1))
            };
            several.iter().map(part).collect::<Map<_, _>>().into()
        }
    }
}

fn element(schema: &Schema, element: &Element, path: &str, required: bool, depth: usize) -> Value {
    let Some(Type::Complex(complex)) = schema.get(element.kind) else { return template(path, required) };
    let Content::Elements(group) = &complex.content else { return template(path, required) };
    // What may be absent as a whole, or is of several types, is taken as it is.
    if depth == DEEPEST || !required || group.any || complex.mixed || !schema.derived_of(element.kind).is_empty() {
        return template(path, required);
    }
    members(schema, group, path, depth)
}

fn members(schema: &Schema, group: &Group, path: &str, depth: usize) -> Value {
    let mut members = Map::new();
    for (at, slot) in group.slots.iter().enumerate() {
        let at = u16::try_from(at).unwrap_or(u16::MAX);
        let required = group.root.least(at) > 0 && slot.element.fixed.is_none();
        let path = below(path, &slot.key);
        let value = if slot.many {
            template(&path, required)
        } else {
            element(schema, &slot.element, &path, required, depth + 1)
        };
        members.insert(slot.key.to_string(), value);
    }
    members.into()
}

fn below(path: &str, key: &str) -> String {
    let plain = key.chars().all(|char| char.is_ascii_alphanumeric() || char == '_')
        && !key.starts_with(|char: char| char.is_ascii_digit());
    if plain {
        format!("{path}.{key}")
    } else {
        format!("{path}['{}']", key.replace('\\', "\\\\").replace('\'', "\\'"))
    }
}

fn template(path: &str, required: bool) -> Value {
    if required { format!("{{{{ {path} }}}}").into() } else { format!("{{{{ {path} | default(none) }}}}").into() }
}
