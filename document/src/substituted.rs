//! What a scalar said before its references were replaced.

use std::fmt;

/// What a scalar was before its references were replaced.
#[derive(Clone, PartialEq, Eq)]
pub struct Substituted {
    /// The scalar with its references, as the document has it.
    pub original: Box<str>,
    /// The references that gave a value which the document does not show.
    pub resolved: Vec<Resolved>,
    /// A reference gave nothing, so the value means nothing.
    pub missing: bool,
}

/// A reference and the value it gave.
#[derive(Clone, PartialEq, Eq)]
pub struct Resolved {
    /// The reference, as the document has it.
    pub written: Box<str>,
    /// What it gave, which may be secret.
    pub value: Box<str>,
}

/// Shows the references alone.
impl fmt::Debug for Substituted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.original.fmt(f)
    }
}

/// Shows the reference alone.
impl fmt::Debug for Resolved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.written.fmt(f)
    }
}
