//! Values by name, where a name may come again.

use std::collections::HashMap;

use minijinja::Value;

/// Names up to which looking through all of them is faster than hashing.
const FEW: usize = 8;

/// Values in the order in which their names first came. A client decides how many names there are, so that each is
/// found in constant time.
#[derive(Debug, Default)]
pub(crate) struct Grouped {
    entries: Vec<(String, Vec<Value>)>,
    places: HashMap<String, usize>,
}

impl Grouped {
    pub(crate) const fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub(crate) fn push(&mut self, name: String, value: Value) {
        let place = match self.places.is_empty() {
            true => self.entries.iter().position(|(known, _)| *known == name),
            false => self.places.get(&name).copied(),
        };
        if let Some(place) = place {
            self.entries[place].1.push(value);
            return;
        }
        if !self.places.is_empty() {
            self.places.insert(name.clone(), self.entries.len());
        }
        self.entries.push((name, vec![value]));
        if self.places.is_empty() && self.entries.len() > FEW {
            self.places = self.entries.iter().enumerate().map(|(at, (name, _))| (name.clone(), at)).collect();
        }
    }

    /// An object: a name's one value, or the list of its values.
    pub(crate) fn into_value(self) -> Value {
        let value = |values: Vec<Value>| match <[Value; 1]>::try_from(values) {
            Ok([one]) => one,
            Err(several) => Value::from(several),
        };
        Value::from_pairs(self.entries.into_iter().map(|(name, values)| (name, value(values))))
    }
}
