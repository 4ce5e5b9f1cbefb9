//! What an upstream says it has.

use serde_json::{Map, Value};

/// A function that discovery found.
///
/// Its name is all that is needed to call it: `to: upstream/NAME` binds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Discovered {
    name: String,
    note: Option<String>,
    options: Map<String, Value>,
}

impl Discovered {
    /// A function of this name.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), note: None, options: Map::new() }
    }

    /// What people may want to know of it, in a few words: its runtime, its image. `callgate discover` prints it as a
    /// comment.
    #[must_use]
    pub fn with_note(mut self, note: impl Into<String>) -> Self {
        self.note = Some(note.into());
        self
    }

    /// Options that a route to it may want to change, as they are without being written: its parameters with their
    /// default templates. `callgate discover` prints them; `null` leaves one out.
    #[must_use]
    pub fn with_option(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.options.insert(name.into(), value.into());
        self.options.retain(|_, value| !value.is_null());
        self
    }

    /// The name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What people may want to know of it.
    pub fn note(&self) -> Option<&str> {
        self.note.as_deref()
    }

    /// Options that a route to it may want to change.
    pub fn options(&self) -> &Map<String, Value> {
        &self.options
    }
}
