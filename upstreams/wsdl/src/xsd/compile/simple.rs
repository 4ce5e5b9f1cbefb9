//! Simple types.

use std::collections::HashMap;

use super::{At, Compiler, DEEPEST, Flaw};
use crate::{
    name::{Name, XSD},
    xsd::{Builtin, Facets, Form, Simple, Type, TypeId, simple::Bound},
};

/// Types that a union or a list may be made of, with all that those are made of: a value is tried as each.
const MOST_PARTS: u32 = 4096;

impl<'i> Compiler<'i> {
    /// A simple type from its declaration.
    pub(super) fn simple_type(&mut self, at: At<'i>, depth: u32) -> Result<Simple, Flaw> {
        if depth == DEEPEST {
            return Err("simple types derive from themselves".into());
        }
        let Some(content) = at.parts().find(|part| matches!(part.node.local(), "restriction" | "list" | "union"))
        else {
            return Err("a simple type is a restriction, a list or a union".into());
        };
        let mut inside = content.parts().filter(|part| part.node.local() == "simpleType");
        match content.node.local() {
            "list" => {
                let item = match (content.node.attribute("itemType"), inside.next()) {
                    (Some(name), _) => {
                        let name = content.name(name)?;
                        self.named(&name)
                    }
                    (None, Some(inside)) => self.anonymous(inside),
                    (None, None) => return Err("a list does not say what of".into()),
                };
                Ok(Simple { form: Form::List(item), facets: Facets::default() })
            }
            "union" => {
                let mut members = Vec::new();
                for name in content.node.attribute("memberTypes").unwrap_or("").split_ascii_whitespace() {
                    let name = content.name(name)?;
                    members.push(self.named(&name));
                }
                members.extend(inside.map(|inside| self.anonymous(inside)).collect::<Vec<_>>());
                Ok(Simple { form: Form::Union(members), facets: Facets::default() })
            }
            _ => {
                let base = match (content.node.attribute("base"), inside.next()) {
                    (Some(name), _) => {
                        let name = content.name(name)?;
                        self.simple_named(&name, depth + 1)?
                    }
                    (None, Some(inside)) => self.simple_type(inside, depth + 1)?,
                    (None, None) => return Err("a restriction does not say of what".into()),
                };
                Ok(restricted(base, content))
            }
        }
    }

    /// Breaks unions and lists that are made of themselves, or of more than a value can be tried as.
    pub(super) fn find_endless(&mut self) {
        let mut known = HashMap::new();
        let ids = || (0u32..).map(TypeId).take(self.schema.types.len());
        let endless: Vec<_> = ids().filter(|id| self.parts_of(*id, 0, &mut known).is_none()).collect();
        for id in endless {
            if let Some(slot) = self.schema.types.get_mut(id.0 as usize) {
                *slot = Type::Broken("a union or a list is made of itself, or of too many types".into());
            }
        }
    }

    /// How many types a simple one is made of in all, itself included; `None` for too many, or in too many steps.
    fn parts_of(&self, id: TypeId, depth: u32, known: &mut HashMap<TypeId, u32>) -> Option<u32> {
        let Some(simple) = self.schema.simple(id) else { return Some(1) };
        if let Some(parts) = known.get(&id) {
            return Some(*parts);
        }
        if depth == DEEPEST {
            return None;
        }
        let mut parts = 1;
        for part in simple.parts() {
            parts += self.parts_of(part, depth + 1, known)?;
            if parts > MOST_PARTS {
                return None;
            }
        }
        known.insert(id, parts);
        Some(parts)
    }

    /// A copy of a named simple type, to be restricted.
    pub(super) fn simple_named(&mut self, name: &Name, depth: u32) -> Result<Simple, Flaw> {
        if let Some(at) = self.index.types.get(name).and_then(|place| self.at(*place)) {
            return if at.node.local() == "simpleType" {
                self.simple_type(at, depth)
            } else {
                Err(format!("{name} is no simple type").into())
            };
        }
        let id = self.named(name);
        match self.schema.get(id) {
            Some(Type::Simple(simple)) => Ok(simple.clone()),
            Some(Type::Broken(flaw)) => Err(flaw.clone()),
            _ if &*name.namespace == XSD => Ok(Simple::of(Builtin::Text("anySimpleType"))),
            _ => Err(format!("{name} is no simple type").into()),
        }
    }
}

/// A type with the facets of a restriction over its own.
pub(super) fn restricted(mut base: Simple, restriction: At<'_>) -> Simple {
    let facets = &mut base.facets;
    let mut values = Vec::new();
    for facet in restriction.parts() {
        let Some(value) = facet.node.attribute("value") else { continue };
        let length = || value.trim().parse().ok();
        let bound = |exclusive| {
            let number = value.trim().parse().ok()?;
            Some(Bound { value: number, exclusive, written: value.trim().into() })
        };
        match facet.node.local() {
            "enumeration" => values.push(value.into()),
            "pattern" => facets.pattern = Some(value.into()),
            "length" => (facets.min_length, facets.max_length) = (length(), length()),
            "minLength" => facets.min_length = length(),
            "maxLength" => facets.max_length = length(),
            "minInclusive" => facets.min = bound(false),
            "minExclusive" => facets.min = bound(true),
            "maxInclusive" => facets.max = bound(false),
            "maxExclusive" => facets.max = bound(true),
            _ => {}
        }
    }
    if !values.is_empty() {
        facets.enumeration = values;
    }
    base
}
