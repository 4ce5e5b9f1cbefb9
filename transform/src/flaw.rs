//! What is wrong with a transformation, found when the configuration loads.

use std::fmt;

use crate::position::Position;

/// Something wrong in the configuration, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flaw {
    /// The scalar that is wrong.
    pub at: Position,
    /// What is wrong with it.
    pub message: String,
    /// What would be right, when that can be told.
    pub hint: Option<String>,
}

impl Flaw {
    /// Something wrong at a place.
    pub fn new(at: Position, message: impl Into<String>) -> Self {
        Self { at, message: message.into(), hint: None }
    }

    /// Adds what would be right.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
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

    /// The value, unless something was wrong.
    pub(crate) fn finish<T>(self, value: T) -> Result<T, Vec<Flaw>> {
        if self.0.is_empty() { Ok(value) } else { Err(self.0) }
    }
}
