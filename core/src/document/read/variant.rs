//! Enums: a name, or a mapping of one name to its content.

use serde::{
    Deserializer,
    de::{DeserializeSeed, EnumAccess, IntoDeserializer, VariantAccess, Visitor, value::StrDeserializer},
};

use super::{
    error::{Error, unknown},
    node::NodeDeserializer,
};
use crate::document::{Value, listed};

pub(super) fn read<'a, V: Visitor<'a>>(
    of: &NodeDeserializer<'a>,
    variants: &'static [&'static str],
    visitor: V,
) -> Result<V::Value, Error> {
    let one_of = || format!("one of {}", listed(variants.iter().copied()));
    let node = of.node;
    match &node.value {
        Value::Mapping(entries) => {
            let [(key, content)] = entries.as_slice() else {
                let names = entries.iter().map(|(key, _)| &*key.text);
                return Err(match entries.len() {
                    0 => Error::wrong(format!("expected {}, found an empty mapping", one_of())),
                    _ => Error::wrong(format!("expected exactly {}, found {}", one_of(), listed(names))),
                });
            };
            if of.session.skips(content) {
                of.session.incomplete(node);
                return Err(Error::wrong("its content is wrong"));
            }
            if !variants.contains(&&*key.text) {
                return Err(unknown("name", &key.text, variants).or_at_span(key.at, node, &of.path));
            }
            let path = of.path.key(&key.text);
            let content = NodeDeserializer::new(content, path, of.session);
            visitor.visit_enum(Variant { name: &key.text, content: Some(content) })
        }
        Value::Sequence(_) | Value::Null => Err(Error::expected(&one_of(), node)),
        Value::String(_) | Value::Bool(_) | Value::Integer(_) | Value::Float(_) => {
            let name = node.scalar_text().unwrap_or("");
            if !variants.contains(&name) {
                let shown = node.shown_text().unwrap_or(name);
                return Err(unknown("value", shown, variants));
            }
            visitor.visit_enum(Variant { name, content: None })
        }
    }
}

struct Variant<'a> {
    name: &'a str,
    content: Option<NodeDeserializer<'a>>,
}

impl<'a> EnumAccess<'a> for Variant<'a> {
    type Error = Error;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'a>>(self, seed: V) -> Result<(V::Value, Self), Error> {
        let name: StrDeserializer<'_, Error> = self.name.into_deserializer();
        Ok((seed.deserialize(name)?, self))
    }
}

impl<'a> Variant<'a> {
    fn content(self) -> Result<NodeDeserializer<'a>, Error> {
        let Self { name, content } = self;
        content.ok_or_else(|| {
            Error::wrong(format!("`{name}` needs a value")).with_hint(format!("write `{{{name}: ...}}`"))
        })
    }
}

impl<'a> VariantAccess<'a> for Variant<'a> {
    type Error = Error;

    fn unit_variant(self) -> Result<(), Error> {
        match self.content {
            Some(content) if !content.node.is_null() => {
                let error = Error::wrong(format!("`{}` takes no value", self.name));
                Err(error.or_at(content.node, &content.path))
            }
            _ => Ok(()),
        }
    }

    fn newtype_variant_seed<T: DeserializeSeed<'a>>(self, seed: T) -> Result<T::Value, Error> {
        let content = self.content()?;
        let (node, path) = (content.node, content.path.clone());
        seed.deserialize(content).map_err(|error| error.or_at(node, &path))
    }

    fn tuple_variant<V: Visitor<'a>>(self, length: usize, visitor: V) -> Result<V::Value, Error> {
        self.content()?.deserialize_tuple(length, visitor)
    }

    fn struct_variant<V: Visitor<'a>>(self, fields: &'static [&'static str], visitor: V) -> Result<V::Value, Error> {
        self.content()?.deserialize_struct("", fields, visitor)
    }
}
