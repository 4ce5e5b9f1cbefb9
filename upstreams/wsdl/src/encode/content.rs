//! The elements of a type, in the order of its content model.

use std::cmp::Reverse;

use serde_json::{Map, Value};
use smallvec::SmallVec;

use super::{Encoder, Mismatch, TEXT};
use crate::xsd::{Complex, Group, Particle, Slot, Term};

/// The values of one slot that are not written yet.
#[derive(Clone, Copy)]
struct Rest<'v> {
    all: &'v [Value],
    written: usize,
}

impl Rest<'_> {
    fn is_empty(&self) -> bool {
        self.written == self.all.len()
    }
}

/// What is still to be written of an object.
struct State<'v> {
    slots: SmallVec<[Rest<'v>; 16]>,
    /// Members that stand for no slot, where the type allows any element.
    others: SmallVec<[(&'v str, &'v Value); 2]>,
    /// Counts what was written, to see that a repetition gets on.
    steps: usize,
}

impl<'s> Encoder<'s> {
    /// Writes the elements of an object.
    pub(super) fn group(
        &mut self,
        complex: &Complex,
        group: &'s Group,
        members: &Map<String, Value>,
    ) -> Result<(), Mismatch> {
        let nothing = Rest { all: &[], written: 0 };
        let mut state =
            State { slots: SmallVec::from_elem(nothing, group.slots.len()), others: SmallVec::new(), steps: 0 };
        for (key, value) in members {
            if key.starts_with('@') {
                continue;
            }
            let slot = group.slot_of(key).and_then(|at| Some((group.slots.get(usize::from(at))?, at)));
            if let Some((slot, at)) = slot {
                if let Some(rest) = state.slots.get_mut(usize::from(at)) {
                    rest.all = values(slot, value);
                }
            } else if key == TEXT && complex.mixed {
                let text = value.as_str().ok_or_else(|| Mismatch::wanted("text").below(TEXT))?;
                self.escape(text, callgate_transform::xml::Place::Text).map_err(|mismatch| mismatch.below(TEXT))?;
            } else if group.any {
                state.others.push((key, value));
            } else {
                let known = group.slots.iter().map(|slot| &*slot.key);
                return Err(Mismatch::unknown(key, &self.title(complex), known));
            }
        }
        self.particle(&group.root, group, &mut state)?;
        if let Some((key, _)) = state.others.first() {
            return Err(Mismatch::new("cannot stand here").below(key));
        }
        let left = group.slots.iter().zip(&state.slots).find(|(_, rest)| !rest.is_empty());
        if let Some((slot, rest)) = left {
            return Err(if rest.written > 0 {
                Mismatch::new(format!("has too many items: at most {}", rest.written)).below(&slot.key)
            } else {
                Mismatch::new("cannot stand beside the other members: the schema makes it a choice").below(&slot.key)
            });
        }
        Ok(())
    }

    fn particle(&mut self, part: &'s Particle, group: &'s Group, state: &mut State<'_>) -> Result<(), Mismatch> {
        match &part.term {
            Term::Element(slot) => self.occurrences(part, *slot, group, state),
            Term::Any => {
                for (key, value) in std::mem::take(&mut state.others) {
                    state.steps += 1;
                    self.others(key, value)?;
                }
                Ok(())
            }
            Term::Sequence(parts) => repeat(part, state, |has, done, state| {
                if !has && done >= part.min {
                    return Ok(());
                }
                parts.iter().try_for_each(|part| self.particle(part, group, state))
            }),
            Term::Choice(parts) => repeat(part, state, |has, done, state| {
                if !has {
                    return if done >= part.min || part.is_emptiable() {
                        Ok(())
                    } else {
                        self.default_of(parts, part, group, state)
                    };
                }
                let able = parts.iter().filter(|part| state.has(part));
                // Of alternatives that begin alike, the one that takes most of what is there.
                let best = able.min_by_key(|part| Reverse((state.satisfies(part, group), state.count(part))));
                best.map_or(Ok(()), |part| self.particle(part, group, state))
            }),
        }
    }

    /// A choice of which nothing is there: the alternative that needs nothing to be said, or a complaint.
    fn default_of(
        &mut self,
        parts: &'s [Particle],
        part: &Particle,
        group: &'s Group,
        state: &mut State<'_>,
    ) -> Result<(), Mismatch> {
        if let Some(part) = parts.iter().find(|part| state.satisfies(part, group)) {
            return self.particle(part, group, state);
        }
        let keys = part.slots.iter().filter_map(|slot| group.slots.get(usize::from(*slot)));
        let keys: Vec<_> = keys.take(8).map(|slot| format!("`{}`", slot.key)).collect();
        Err(Mismatch::new(format!("needs one of {}", keys.join(", "))))
    }

    fn occurrences(
        &mut self,
        part: &'s Particle,
        at: u16,
        group: &'s Group,
        state: &mut State<'_>,
    ) -> Result<(), Mismatch> {
        let at = usize::from(at);
        let (Some(slot), Some(rest)) = (group.slots.get(at), state.slots.get(at).copied()) else { return Ok(()) };
        let most = usize::try_from(part.max).unwrap_or(usize::MAX);
        let least = usize::try_from(part.min).unwrap_or(usize::MAX);
        let left = rest.all.get(rest.written..).unwrap_or_default();
        let count = left.len().min(most);
        if count < least {
            if count == 0
                && let Some(fixed) = slot.element.fixed.as_ref().filter(|_| part.min == 1)
            {
                return self.element(&slot.element, &Value::from(&**fixed));
            }
            let message = if count == 0 { "is missing".to_owned() } else { format!("needs at least {least} items") };
            return Err(Mismatch::new(message).below(&slot.key));
        }
        for (index, value) in left.iter().take(count).enumerate() {
            if slot.element.is_abstract {
                return Err(Mismatch::new("is abstract, and only others can stand for it").below(&slot.key));
            }
            self.element(&slot.element, value).map_err(|mismatch| {
                if slot.many { mismatch.below_item(&slot.key, rest.written + index) } else { mismatch.below(&slot.key) }
            })?;
        }
        if let Some(rest) = state.slots.get_mut(at) {
            rest.written += count;
        }
        state.steps += count;
        Ok(())
    }
}

/// The values of a member.
fn values<'v>(slot: &Slot, value: &'v Value) -> &'v [Value] {
    match value {
        Value::Array(items) if slot.many => items,
        Value::Null if slot.many || !slot.element.nillable => &[],
        value => std::slice::from_ref(value),
    }
}

/// Does a part once, or as often as there is something for it.
fn repeat<'v>(
    part: &Particle,
    state: &mut State<'v>,
    mut once: impl FnMut(bool, u32, &mut State<'v>) -> Result<(), Mismatch>,
) -> Result<(), Mismatch> {
    let mut done = 0;
    while done < part.max {
        let has = state.has(part);
        let before = state.steps;
        once(has, done, state)?;
        done += 1;
        if !has || state.steps == before {
            break;
        }
    }
    Ok(())
}

impl State<'_> {
    fn left(&self, slot: u16) -> bool {
        self.slots.get(usize::from(slot)).is_some_and(|rest| !rest.is_empty())
    }

    /// Whether there is something for a part.
    fn has(&self, part: &Particle) -> bool {
        part.slots.iter().any(|slot| self.left(*slot)) || (part.any && !self.others.is_empty())
    }

    /// How much there is for a part.
    fn count(&self, part: &Particle) -> usize {
        part.slots.iter().filter(|slot| self.left(**slot)).count()
    }

    /// Whether a part has all that it needs.
    fn satisfies(&self, part: &Particle, group: &Group) -> bool {
        if part.min == 0 && !self.has(part) {
            return true;
        }
        match &part.term {
            Term::Element(slot) => {
                let fixed = group.slots.get(usize::from(*slot)).is_some_and(|slot| slot.element.fixed.is_some());
                part.min == 0 || self.left(*slot) || fixed
            }
            Term::Any => true,
            Term::Sequence(parts) => parts.iter().all(|part| self.satisfies(part, group)),
            Term::Choice(parts) => parts.is_empty() || parts.iter().any(|part| self.satisfies(part, group)),
        }
    }
}
