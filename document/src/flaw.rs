//! One thing that is wrong with a document.

use crate::{DocPath, Span};

/// How bad a flaw is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// The document cannot be used.
    Error,
    /// The document can be used but hardly says what its author means.
    Warning,
}

/// One thing that is wrong: what, where, and what would be right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flaw {
    /// Whether the document can be used nevertheless.
    pub severity: Severity,
    /// What is wrong, without the place: "unknown field `regoin`".
    pub message: String,
    /// The place it is shown at.
    pub at: Span,
    /// The path in the document, `routes[3].to`; empty when it concerns the whole.
    pub path: String,
    /// What stands beside the caret.
    pub label: Option<String>,
    /// What to do about it.
    pub hint: Option<String>,
    /// Other places that explain it, each with what it is.
    pub related: Vec<(Span, String)>,
}

impl Flaw {
    /// A flaw that forbids the use of the document.
    #[must_use]
    pub fn error(at: Span, path: &DocPath, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Error,
            message: message.into(),
            at,
            path: path.to_string(),
            label: None,
            hint: None,
            related: Vec::new(),
        }
    }

    /// A flaw that only deserves attention.
    #[must_use]
    pub fn warning(at: Span, path: &DocPath, message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(at, path, message) }
    }

    /// Adds what to do about it.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Adds what stands beside the caret.
    #[must_use]
    pub fn with_label(mut self, label: impl Into<String>) -> Self {
        self.label = Some(label.into());
        self
    }

    /// Adds another place that explains it.
    #[must_use]
    pub fn with_related(mut self, at: Span, text: impl Into<String>) -> Self {
        self.related.push((at, text.into()));
        self
    }

    /// Whether this forbids the use of the document.
    #[must_use]
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}
