//! Attributes and groups of them.

use std::sync::Arc;

use super::{At, Compiler, DEEPEST, Flaw};
use crate::{
    name::{Name, XML, is_local},
    xsd::{Attribute, Builtin, TypeId},
};

/// The attributes of a type.
#[derive(Default)]
pub(super) struct Attributes {
    pub(super) list: Vec<Attribute>,
    pub(super) any: bool,
}

impl<'i> Compiler<'i> {
    /// Takes the attributes that stand in a declaration, over those that a base gave.
    pub(super) fn attributes(&mut self, at: At<'i>, depth: u32, found: &mut Attributes) -> Result<(), Flaw> {
        if depth == DEEPEST {
            return Err("groups of attributes refer to themselves".into());
        }
        for part in at.parts() {
            self.follow()?;
            match part.node.local() {
                "anyAttribute" => found.any = true,
                "attributeGroup" => {
                    let Some(reference) = part.node.attribute("ref") else { continue };
                    let name = part.name(reference)?;
                    let group = self.index.attribute_groups.get(&name).and_then(|place| self.at(*place));
                    let group = group.ok_or_else(|| format!("no schema declares the attribute group {name}"))?;
                    self.attributes(group, depth + 1, found)?;
                }
                "attribute" => {
                    let prohibited = part.node.attribute("use") == Some("prohibited");
                    if let Some(attribute) = self.attribute(part)? {
                        found.list.retain(|other| other.name != attribute.name);
                        if !prohibited {
                            found.list.push(attribute);
                        }
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// An attribute; `None` for one that says only how arrays of SOAP encoding are.
    fn attribute(&mut self, at: At<'i>) -> Result<Option<Attribute>, Flaw> {
        let (name, declared) = match (at.node.attribute("ref"), at.node.attribute("name")) {
            (Some(reference), _) => {
                let name = at.name(reference)?;
                let declared = self.index.attributes.get(&name).and_then(|place| self.at(*place));
                if declared.is_none() && (&*name.namespace != XML || !is_local(&name.local)) {
                    return Ok(None);
                }
                (name, declared)
            }
            (None, Some(local)) => {
                let qualified = match at.node.attribute("form") {
                    Some(form) => form == "qualified",
                    None => at.source.qualified_attributes,
                };
                let namespace = if qualified { Arc::clone(&at.source.target) } else { "".into() };
                (Name::declared(namespace, local).ok_or("an attribute has a name that is none of XML")?, Some(at))
            }
            (None, None) => return Err("an attribute has neither a name nor a reference".into()),
        };
        let kind = match declared {
            Some(declared) => self.attribute_kind(declared)?,
            None => self.builtin(Builtin::Text("string")),
        };
        let tag = self.tag(&name);
        // What the schema qualifies is told apart by its namespace, which few attributes are.
        let key = if &*name.namespace == XML { format!("@xml:{}", name.local) } else { format!("@{}", name.local) };
        let fixed = at.node.attribute("fixed").or_else(|| declared?.node.attribute("fixed"));
        Ok(Some(Attribute {
            name,
            key: key.into(),
            tag,
            kind,
            required: at.node.attribute("use") == Some("required"),
            fixed: fixed.map(Arc::from),
        }))
    }

    fn attribute_kind(&mut self, at: At<'i>) -> Result<TypeId, Flaw> {
        if let Some(name) = at.node.attribute("type") {
            let name = at.name(name)?;
            return Ok(self.named(&name));
        }
        Ok(match at.parts().find(|part| part.node.local() == "simpleType") {
            Some(inside) => self.anonymous(inside),
            None => self.builtin(Builtin::Text("anySimpleType")),
        })
    }
}
