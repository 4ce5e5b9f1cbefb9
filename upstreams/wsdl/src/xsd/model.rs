//! The plan that a schema is compiled into. Names are ready to be written, and types are found by number.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use super::simple::Simple;
use crate::name::Name;

/// No upper limit of occurrences.
pub(crate) const UNBOUNDED: u32 = u32::MAX;

/// A type by its number in [`Schema`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct TypeId(pub(crate) u32);

/// Everything that a description declares.
#[derive(Debug, Default)]
pub(crate) struct Schema {
    pub(crate) types: Vec<Type>,
    /// Named types.
    pub(crate) named: HashMap<Name, TypeId>,
    /// Global elements.
    pub(crate) elements: HashMap<Name, Element>,
    /// The types that stand for another where `xsi:type` says so.
    pub(crate) derived: HashMap<TypeId, Vec<(Name, TypeId)>>,
    /// Namespaces in the order of their prefixes: `n0`, `n1`, ...
    pub(crate) namespaces: Vec<Arc<str>>,
}

/// A type.
#[derive(Debug)]
pub(crate) enum Type {
    /// `anyType`: whatever there is.
    Any,
    Simple(Simple),
    Complex(Complex),
    /// What is wrong with it, or not supported; told when an operation that needs it is bound.
    Broken(Arc<str>),
}

/// A type with attributes or elements.
#[derive(Debug, Default)]
pub(crate) struct Complex {
    /// Its name; none where it stands in its element's declaration.
    pub(crate) name: Option<Name>,
    pub(crate) is_abstract: bool,
    pub(crate) mixed: bool,
    pub(crate) attributes: Vec<Attribute>,
    pub(crate) any_attribute: bool,
    pub(crate) content: Content,
}

/// What stands between the tags of a complex type.
#[derive(Debug, Default)]
pub(crate) enum Content {
    #[default]
    Empty,
    /// Text of a simple type.
    Simple(TypeId),
    Elements(Box<Group>),
}

/// The elements of a type: a tree of how they may follow each other, over one slot for each name.
#[derive(Debug, Default)]
pub(crate) struct Group {
    pub(crate) slots: Vec<Slot>,
    pub(crate) root: Particle,
    /// Whether elements may stand there that the schema does not name.
    pub(crate) any: bool,
    /// Slots by JSON key, in the order of keys.
    pub(crate) by_key: Vec<u16>,
}

/// All elements of one name in a type: one member in JSON.
#[derive(Debug)]
pub(crate) struct Slot {
    pub(crate) key: Box<str>,
    pub(crate) element: Element,
    /// Whether it can stand there more than once, so that JSON has an array.
    pub(crate) many: bool,
    /// Whether a choice may leave it out, so that its absence says something.
    pub(crate) chosen: bool,
}

/// A part of a content model.
#[derive(Debug, Default)]
pub(crate) struct Particle {
    pub(crate) min: u32,
    pub(crate) max: u32,
    pub(crate) term: Term,
    /// The slots that it can fill.
    pub(crate) slots: Vec<u16>,
    /// Whether it can take elements that the schema does not name.
    pub(crate) any: bool,
}

/// What a particle is.
#[derive(Debug)]
pub(crate) enum Term {
    Element(u16),
    /// In this order; `all` is written in the order of its declaration.
    Sequence(Vec<Particle>),
    Choice(Vec<Particle>),
    Any,
}

impl Default for Term {
    fn default() -> Self {
        Self::Sequence(Vec::new())
    }
}

/// A declared element.
#[derive(Clone, Debug)]
pub(crate) struct Element {
    pub(crate) name: Name,
    /// The name as it is written, with its prefix.
    pub(crate) tag: Arc<str>,
    pub(crate) kind: TypeId,
    pub(crate) nillable: bool,
    pub(crate) is_abstract: bool,
    /// The one value that it may have.
    pub(crate) fixed: Option<Arc<str>>,
    /// What it stands for when it is empty.
    pub(crate) default: Option<Arc<str>>,
    pub(crate) note: Option<Arc<str>>,
}

/// A declared attribute.
#[derive(Clone, Debug)]
pub(crate) struct Attribute {
    pub(crate) name: Name,
    /// The JSON key: `@name`.
    pub(crate) key: Box<str>,
    pub(crate) tag: Arc<str>,
    pub(crate) kind: TypeId,
    pub(crate) required: bool,
    pub(crate) fixed: Option<Arc<str>>,
}

impl Schema {
    pub(crate) fn get(&self, id: TypeId) -> Option<&Type> {
        self.types.get(id.0 as usize)
    }

    /// The simple type of this number.
    pub(crate) fn simple(&self, id: TypeId) -> Option<&Simple> {
        match self.get(id) {
            Some(Type::Simple(simple)) => Some(simple),
            _ => None,
        }
    }

    /// The types that may stand for one where `xsi:type` says so.
    pub(crate) fn derived_of(&self, id: TypeId) -> &[(Name, TypeId)] {
        self.derived.get(&id).map_or(&[], Vec::as_slice)
    }

    /// The prefix of a namespace, which has one if a declaration is in it.
    pub(crate) fn prefix(&self, namespace: &str) -> Option<usize> {
        self.namespaces.iter().position(|known| &**known == namespace)
    }

    /// The first thing that is wrong with what can be reached from a type, or not supported.
    pub(crate) fn flaw(&self, from: TypeId) -> Option<&str> {
        self.reach([from], false).into_iter().find_map(|id| match self.get(id) {
            Some(Type::Broken(flaw)) => Some(&**flaw),
            _ => None,
        })
    }

    /// The numbers of the prefixes that elements can have in them.
    pub(crate) fn prefixes_of(&self, elements: &[&Element]) -> BTreeSet<usize> {
        let reached = self.reach(elements.iter().map(|element| element.kind), true);
        let mut names: Vec<_> = elements.iter().map(|element| &element.name).collect();
        for id in reached {
            names.extend(self.derived_of(id).iter().map(|(name, _)| name));
            match self.get(id) {
                Some(Type::Complex(complex)) => {
                    names.extend(complex.attributes.iter().map(|attribute| &attribute.name));
                    if let Content::Elements(group) = &complex.content {
                        names.extend(group.slots.iter().map(|slot| &slot.element.name));
                    }
                }
                // What is of any type may be of each.
                Some(Type::Any) => return (0..self.namespaces.len()).collect(),
                Some(Type::Simple(_) | Type::Broken(_)) | None => {}
            }
        }
        names.into_iter().filter_map(|name| self.prefix(&name.namespace)).collect()
    }

    /// The types that can be reached from some, and, if that is wanted, those that can stand for them.
    fn reach(&self, from: impl IntoIterator<Item = TypeId>, derived: bool) -> Vec<TypeId> {
        let mut seen = vec![false; self.types.len()];
        let mut open: Vec<_> = from.into_iter().collect();
        let mut reached = Vec::new();
        while let Some(id) = open.pop() {
            match seen.get_mut(id.0 as usize) {
                Some(seen) if !*seen => *seen = true,
                _ => continue,
            }
            reached.push(id);
            if derived {
                open.extend(self.derived_of(id).iter().map(|(_, id)| *id));
            }
            match self.get(id) {
                Some(Type::Complex(complex)) => {
                    open.extend(complex.attributes.iter().map(|attribute| attribute.kind));
                    match &complex.content {
                        Content::Empty => {}
                        Content::Simple(id) => open.push(*id),
                        Content::Elements(group) => open.extend(group.slots.iter().map(|slot| slot.element.kind)),
                    }
                }
                Some(Type::Simple(simple)) => open.extend(simple.parts()),
                Some(Type::Any | Type::Broken(_)) | None => {}
            }
        }
        reached
    }
}

impl Group {
    /// The slot of a JSON key.
    pub(crate) fn slot_of(&self, key: &str) -> Option<u16> {
        let key_of = |slot: u16| self.slots.get(usize::from(slot)).map_or("", |slot| &slot.key);
        let at = self.by_key.binary_search_by(|slot| key_of(*slot).cmp(key)).ok()?;
        self.by_key.get(at).copied()
    }

    /// The slot of an element; one of another namespace, where no other has the local name.
    pub(crate) fn slot_named(&self, namespace: &str, local: &str) -> Option<u16> {
        let find = |test: &dyn Fn(&Name) -> bool| {
            let mut found = self.slots.iter().enumerate().filter(|(_, slot)| test(&slot.element.name));
            let first = found.next()?;
            found.next().is_none().then_some(u16::try_from(first.0).ok()?)
        };
        // Servers that qualify elements which the schema does not, or the other way round, are legion.
        find(&|name| name.is(namespace, local)).or_else(|| find(&|name| &*name.local == local))
    }
}

impl Particle {
    /// How often a slot can be filled at most, and whether a choice decides about it.
    pub(crate) fn occurrences(&self, slot: u16) -> (u32, bool) {
        let (most, chosen) = match &self.term {
            Term::Element(own) => (u32::from(*own == slot), false),
            Term::Any => (0, false),
            Term::Sequence(parts) => parts
                .iter()
                .map(|part| part.occurrences(slot))
                .fold((0_u32, false), |sum, part| (sum.0.saturating_add(part.0), sum.1 || part.1)),
            Term::Choice(parts) => parts
                .iter()
                .map(|part| part.occurrences(slot))
                .fold((0, false), |sum, part| (sum.0.max(part.0), sum.1 || part.0 > 0)),
        };
        (most.saturating_mul(self.max), chosen)
    }

    /// How often a slot has to be filled at least.
    pub(crate) fn least(&self, slot: u16) -> u32 {
        let least = match &self.term {
            Term::Element(own) => u32::from(*own == slot),
            Term::Any | Term::Choice(_) => 0,
            Term::Sequence(parts) => parts.iter().map(|part| part.least(slot)).fold(0, u32::saturating_add),
        };
        least.saturating_mul(self.min)
    }

    /// Whether nothing at all satisfies it.
    pub(crate) fn is_emptiable(&self) -> bool {
        self.min == 0
            || match &self.term {
                Term::Element(_) | Term::Any => false,
                Term::Sequence(parts) => parts.iter().all(Self::is_emptiable),
                Term::Choice(parts) => parts.is_empty() || parts.iter().any(Self::is_emptiable),
            }
    }
}
