//! What an upstream says it has.

/// A function that discovery found.
///
/// Its name is all that is needed to call it: `to: upstream/NAME` binds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Discovered {
    name: String,
    note: Option<String>,
}

impl Discovered {
    /// A function of this name.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), note: None }
    }

    /// What people may want to know of it, in a few words: its runtime, its image. `callgate discover` prints it as a
    /// comment.
    #[must_use]
    pub fn with_note(mut self, note: impl Into<String>) -> Self {
        self.note = Some(note.into());
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
}
