//! What is wrong with a transformation, found when the configuration loads.

use std::fmt;

use crate::position::Position;

/// A step of the way from the steps of a level to a value in them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Field {
    /// The value of a name.
    Name(String),
    /// An item of a list, counted from 0.
    Item(usize),
}

/// Something wrong in the configuration, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flaw {
    /// The character that is wrong, or the scalar when no more is known.
    pub at: Position,
    /// The way to the value that is wrong, from what was compiled: `headers`, `set`, `x-user`. The steps of a level begin
    /// with the step's number, also where there is one step that stands in no list.
    pub path: Vec<Field>,
    /// What is wrong with it.
    pub message: String,
    /// What would be right, when that can be told.
    pub hint: Option<String>,
}

impl Flaw {
    /// Something wrong at a place.
    pub fn new(at: Position, message: impl Into<String>) -> Self {
        Self { at, path: Vec::new(), message: message.into(), hint: None }
    }

    /// Adds what would be right.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Puts a name before the way to the value.
    #[must_use]
    pub(crate) fn within(mut self, name: &str) -> Self {
        self.path.insert(0, Field::Name(name.to_owned()));
        self
    }

    /// Puts an item's number before the way to the value.
    #[must_use]
    pub(crate) fn within_item(mut self, index: usize) -> Self {
        self.path.insert(0, Field::Item(index));
        self
    }

    /// Names the part of the step that is wrong.
    #[must_use]
    pub(crate) fn of(mut self, subject: &str) -> Self {
        self.message = format!("{subject}: {}", self.message);
        self
    }
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        match &self.hint {
            Some(hint) => write!(f, " ({hint})"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Flaw {}

/// Collects flaws, so that all of them are reported and not the first only.
#[derive(Debug, Default)]
pub(crate) struct Flaws(Vec<Flaw>);

impl Flaws {
    /// The value, or none with the flaw kept.
    pub(crate) fn keep<T>(&mut self, result: Result<T, Flaw>) -> Option<T> {
        result.map_err(|flaw| self.0.push(flaw)).ok()
    }

    /// The value, or none with the flaws kept.
    pub(crate) fn keep_all<T>(&mut self, result: Result<T, Vec<Flaw>>) -> Option<T> {
        result.map_err(|flaws| self.0.extend(flaws)).ok()
    }

    pub(crate) fn push(&mut self, flaw: Flaw) {
        self.0.push(flaw);
    }

    /// Does some work, and changes the flaws that are found meanwhile.
    pub(crate) fn meanwhile<T>(&mut self, change: impl Fn(Flaw) -> Flaw, work: impl FnOnce(&mut Self) -> T) -> T {
        let mut found = Self::default();
        let done = work(&mut found);
        self.0.extend(found.0.into_iter().map(change));
        done
    }

    /// The value, unless something was wrong.
    pub(crate) fn finish<T>(self, value: T) -> Result<T, Vec<Flaw>> {
        if self.0.is_empty() { Ok(value) } else { Err(self.0) }
    }
}
