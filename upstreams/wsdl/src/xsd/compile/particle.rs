//! Content models: how elements may follow each other.

use std::sync::Arc;

use super::{At, Collector, Compiler, DEEPEST, Flaw};
use crate::xsd::{
    Element,
    model::{Group, Particle, Slot, Term, UNBOUNDED},
};

/// Elements of different names that a type may have.
const MOST_ELEMENTS: usize = 1 << 12;

/// A sequence of elements that stand there once each.
pub(super) fn sequence_of(elements: Vec<Element>) -> Group {
    let mut collector = Collector::default();
    let parts: Vec<_> = elements
        .into_iter()
        .map(|element| Particle {
            min: 1,
            max: 1,
            term: Term::Element(collector.slot(element)),
            slots: Vec::new(),
            any: false,
        })
        .collect();
    collector
        .finish(Particle { min: 1, max: 1, term: Term::Sequence(parts), slots: Vec::new(), any: false })
        .unwrap_or_default()
}

fn occurs(at: At<'_>) -> Result<(u32, u32), Flaw> {
    let number = |name: &str, value: &str| -> Result<u32, Flaw> {
        value.trim().parse().map_err(|_| Flaw::from(format!("{name} is no number")))
    };
    let min = at.node.attribute("minOccurs").map_or(Ok(1), |value| number("minOccurs", value))?;
    let max = match at.node.attribute("maxOccurs") {
        None => 1,
        Some("unbounded") => UNBOUNDED,
        Some(value) => number("maxOccurs", value)?,
    };
    Ok((min, max))
}

impl<'i> Compiler<'i> {
    /// A part of a content model; none for one that may not occur.
    pub(super) fn particle(&mut self, at: At<'i>, depth: u32, into: &mut Collector) -> Result<Option<Particle>, Flaw> {
        if depth == DEEPEST {
            return Err("groups of elements nest too deeply, or refer to themselves".into());
        }
        self.follow()?;
        let (min, max) = occurs(at)?;
        if max == 0 {
            return Ok(None);
        }
        let term = match at.node.local() {
            "element" => self.elements(at, into)?,
            "any" => {
                into.group.any = true;
                Term::Any
            }
            "group" => {
                let Some(reference) = at.node.attribute("ref") else { return Ok(None) };
                let name = at.name(reference)?;
                let group = self.index.groups.get(&name).and_then(|place| self.at(*place));
                let group = group.ok_or_else(|| format!("no schema declares the group {name}"))?;
                Term::Sequence(self.particles(group, depth, into)?)
            }
            "sequence" | "all" => Term::Sequence(self.particles(at, depth, into)?),
            "choice" => Term::Choice(self.particles(at, depth, into)?),
            _ => return Ok(None),
        };
        Ok(Some(Particle { min, max, term, slots: Vec::new(), any: false }))
    }

    fn particles(&mut self, at: At<'i>, depth: u32, into: &mut Collector) -> Result<Vec<Particle>, Flaw> {
        let mut found = Vec::new();
        for part in at.parts() {
            found.extend(self.particle(part, depth + 1, into)?);
        }
        Ok(found)
    }

    /// An element, or the choice of those that may stand for it.
    fn elements(&mut self, at: At<'i>, into: &mut Collector) -> Result<Term, Flaw> {
        if into.group.slots.len() >= MOST_ELEMENTS {
            return Err("a type has too many different elements".into());
        }
        let element = self.local(at)?;
        let substitutes = match at.node.attribute("ref") {
            Some(_) => self.substitutes_of(&element.name)?,
            None => Vec::new(),
        };
        if substitutes.is_empty() {
            return Ok(Term::Element(into.slot(element)));
        }
        let own = (!element.is_abstract).then_some(element);
        let once = |slot| Particle { min: 1, max: 1, term: Term::Element(slot), slots: Vec::new(), any: false };
        Ok(Term::Choice(own.into_iter().chain(substitutes).map(|element| once(into.slot(element))).collect()))
    }
}

impl Collector {
    /// The slot of an element, the same for all of one name.
    fn slot(&mut self, element: Element) -> u16 {
        if let Some(at) = self.by_name.get(&element.name) {
            return *at;
        }
        let at = u16::try_from(self.group.slots.len()).unwrap_or(u16::MAX);
        self.by_name.insert(element.name.clone(), at);
        let first = self.locals.insert(Arc::clone(&element.name.local));
        let key = if first { element.name.local.to_string() } else { element.name.to_string() };
        self.group.slots.push(Slot { key: key.into(), element, many: false, chosen: false });
        at
    }

    /// The elements with all that is known once they are complete; `None` for no content at all.
    pub(super) fn finish(mut self, mut root: Particle) -> Option<Group> {
        if self.group.slots.is_empty() && !self.group.any {
            return None;
        }
        root.find_slots();
        for (at, slot) in self.group.slots.iter_mut().enumerate() {
            let (most, chosen) = root.occurrences(u16::try_from(at).unwrap_or(u16::MAX));
            (slot.many, slot.chosen) = (most > 1, chosen);
        }
        let mut by_key: Vec<_> = (0..u16::try_from(self.group.slots.len()).unwrap_or(u16::MAX)).collect();
        by_key.sort_by(|one, other| self.group.key(*one).cmp(self.group.key(*other)));
        self.group.by_key = by_key;
        self.group.root = root;
        Some(self.group)
    }
}

impl Group {
    fn key(&self, slot: u16) -> &str {
        self.slots.get(usize::from(slot)).map_or("", |slot| &slot.key)
    }
}

impl Particle {
    /// Notes which slots each part can fill.
    fn find_slots(&mut self) {
        self.any = matches!(self.term, Term::Any);
        self.slots = match &mut self.term {
            Term::Element(slot) => vec![*slot],
            Term::Any => Vec::new(),
            Term::Sequence(parts) | Term::Choice(parts) => {
                let mut any = false;
                let mut slots: Vec<_> = parts
                    .iter_mut()
                    .flat_map(|part| {
                        part.find_slots();
                        any |= part.any;
                        part.slots.iter().copied()
                    })
                    .collect();
                slots.sort_unstable();
                slots.dedup();
                self.any = any;
                slots
            }
        };
    }
}
