//! An example of a message, made from its schema alone.

use serde_json::{Map, Value, json};

use crate::{
    encode::{TEXT, TYPE},
    wsdl::Message,
    xsd::{Builtin, Complex, Content, Element, Form, Group, Particle, Schema, Simple, Term, Type, TypeId},
};

/// Values after which an example has no more than it must.
const ENOUGH: usize = 200;

/// Values after which an example has nothing more at all. One that needs more is not valid, and is given as it is.
const MOST: usize = 5000;

/// How deep what must be there is followed.
const DEEPEST: usize = 40;

/// An example of a message's value.
pub(crate) fn example(schema: &Schema, message: &Message) -> Value {
    let mut maker = Maker { schema, open: Vec::new(), made: 0 };
    match message.parts.as_slice() {
        [] => json!({}),
        [one] => maker.element(one),
        several => {
            several.iter().map(|part| (part.name.local.to_string(), maker.element(part))).collect::<Map<_, _>>().into()
        }
    }
}

struct Maker<'s> {
    schema: &'s Schema,
    /// The types whose values are being made.
    open: Vec<TypeId>,
    made: usize,
}

impl Maker<'_> {
    fn element(&mut self, element: &Element) -> Value {
        self.made += 1;
        if let Some(fixed) = &element.fixed
            && let Some(simple) = self.schema.simple(element.kind)
        {
            return self.read(simple, fixed);
        }
        match self.schema.get(element.kind) {
            Some(Type::Simple(simple)) => self.simple(simple),
            Some(Type::Complex(complex)) => {
                self.open.push(element.kind);
                let value = self.complex(element.kind, complex);
                self.open.pop();
                value
            }
            Some(Type::Any | Type::Broken(_)) | None => "text".into(),
        }
    }

    fn complex(&mut self, id: TypeId, complex: &Complex) -> Value {
        let mut members = Map::new();
        let mut complex = complex;
        if complex.is_abstract {
            let derived = self.schema.derived_of(id).iter().find(|(_, id)| !self.open.contains(id));
            if let Some((name, Some(Type::Complex(found)))) = derived.map(|(name, id)| (name, self.schema.get(*id))) {
                members.insert(TYPE.to_owned(), (*name.local).into());
                complex = found;
            }
        }
        for attribute in &complex.attributes {
            let Some(simple) = self.schema.simple(attribute.kind) else { continue };
            let value = match &attribute.fixed {
                Some(fixed) => self.read(simple, fixed),
                None => self.simple(simple),
            };
            members.insert(attribute.key.to_string(), value);
        }
        match &complex.content {
            Content::Empty => {}
            Content::Simple(id) => {
                let value = self.schema.simple(*id).map_or("text".into(), |simple| self.simple(simple));
                members.insert(TEXT.to_owned(), value);
            }
            Content::Elements(group) => {
                self.particle(&group.root, group, &mut members);
                for slot in group.slots.iter().filter(|slot| slot.many && !slot.chosen) {
                    members.entry(slot.key.to_string()).or_insert_with(|| json!([]));
                }
            }
        }
        members.into()
    }

    fn particle(&mut self, part: &Particle, group: &Group, members: &mut Map<String, Value>) {
        if self.made > MOST
            || self.open.len() > DEEPEST
            || (part.min == 0 && (self.made > ENOUGH || self.recurs(part, group)))
        {
            return;
        }
        match &part.term {
            Term::Any => {}
            Term::Sequence(parts) => parts.iter().for_each(|part| self.particle(part, group, members)),
            Term::Choice(parts) => {
                let best = parts.iter().find(|part| !self.recurs(part, group)).or(parts.first());
                if let Some(part) = best {
                    self.particle(part, group, members);
                }
            }
            Term::Element(at) => {
                let Some(slot) = group.slots.get(usize::from(*at)) else { return };
                if slot.element.is_abstract || members.contains_key(&*slot.key) {
                    return;
                }
                let count = part.min.clamp(1, 3);
                let value = if slot.many {
                    (0..count).map(|_| self.element(&slot.element)).collect()
                } else {
                    self.element(&slot.element)
                };
                members.insert(slot.key.to_string(), value);
            }
        }
    }

    /// Whether a part leads back to a type that is being made.
    fn recurs(&self, part: &Particle, group: &Group) -> bool {
        let mut slots = part.slots.iter().filter_map(|slot| group.slots.get(usize::from(*slot)));
        slots.any(|slot| self.open.contains(&slot.element.kind))
    }

    fn simple(&mut self, simple: &Simple) -> Value {
        if let Some(first) = simple.facets.enumeration.first() {
            return self.read(simple, first);
        }
        match &simple.form {
            Form::List(item) => {
                let item = self.schema.simple(*item).map_or("text".into(), |item| self.simple(item));
                let count = simple.facets.min_length.unwrap_or(1).clamp(1, 8);
                (0..count).map(|_| item.clone()).collect()
            }
            Form::Union(members) => {
                let first = members.iter().find_map(|id| self.schema.simple(*id));
                first.map_or("text".into(), |first| self.simple(first))
            }
            Form::Atomic(builtin) => {
                let facets = &simple.facets;
                let bound = facets.min.as_ref().or(facets.max.as_ref());
                let inside = bound.map(|bound| match (bound.exclusive, facets.min.is_some()) {
                    (false, _) => bound.value,
                    (true, true) => bound.value + 1.0,
                    (true, false) => bound.value - 1.0,
                });
                match (builtin, inside) {
                    (Builtin::Integer(..), Some(value)) => whole(value),
                    (Builtin::Decimal | Builtin::Float(_), Some(value)) if value.fract() != 0.0 => value.into(),
                    (Builtin::Decimal | Builtin::Float(_), Some(value)) => whole(value),
                    (Builtin::Integer(_, _, Some(most)), None) if *most < 1 => json!(-1),
                    (Builtin::Integer(..), None) => json!(1),
                    (Builtin::Decimal | Builtin::Float(_), None) => json!(1.5),
                    (Builtin::Boolean, _) => json!(true),
                    (Builtin::Base64, _) => "TWFu".repeat(length(facets.min_length, 3)).into(),
                    (Builtin::Hex, _) => "0f".repeat(length(facets.min_length, 1)).into(),
                    (Builtin::Date, _) => "2026-01-31".into(),
                    (Builtin::Time, _) => "08:30:00".into(),
                    (Builtin::DateTime, _) => "2026-01-31T08:30:00Z".into(),
                    (Builtin::Text(name), _) => text(name, facets.min_length, facets.max_length).into(),
                }
            }
        }
    }

    /// A text of the schema as a value.
    fn read(&self, simple: &Simple, text: &str) -> Value {
        match &simple.form {
            Form::Atomic(Builtin::Boolean) => matches!(text, "true" | "1").into(),
            Form::Atomic(Builtin::Integer(..) | Builtin::Decimal | Builtin::Float(_)) => {
                serde_json::from_str(text).unwrap_or_else(|_| text.into())
            }
            Form::List(item) => {
                let item = self.schema.simple(*item);
                text.split_ascii_whitespace()
                    .map(|text| item.map_or(text.into(), |item| self.read(item, text)))
                    .collect()
            }
            Form::Atomic(_) | Form::Union(_) => text.into(),
        }
    }
}

#[allow(clippy::cast_possible_truncation, reason = "a bound of integers is whole")]
fn whole(value: f64) -> Value {
    json!(value as i64)
}

/// How many pieces of some bytes make the length that is wanted.
fn length(least: Option<u64>, piece: u64) -> usize {
    usize::try_from(least.unwrap_or(piece).clamp(1, 1000).div_ceil(piece)).unwrap_or(1)
}

fn text(name: &str, least: Option<u64>, most: Option<u64>) -> String {
    let text = match name {
        "anyURI" => "http://example.com/",
        "language" => "en",
        "duration" => "P1D",
        "gYear" => "2026",
        "gYearMonth" => "2026-01",
        "gMonth" => "--01",
        "gMonthDay" => "--01-31",
        "gDay" => "---31",
        _ => "text",
    };
    let mut text: String = text.chars().take(usize::try_from(most.unwrap_or(u64::MAX)).unwrap_or(usize::MAX)).collect();
    while (text.len() as u64) < least.unwrap_or(0).min(1000) {
        text.push('x');
    }
    text
}
