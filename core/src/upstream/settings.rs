//! The settings of kinds, as types.

use callgate_transform::Flaw;
use schemars::JsonSchema;
use serde::{Serialize, de::DeserializeOwned};

/// Settings that stand in the YAML document.
///
/// Use `#[serde(deny_unknown_fields)]`, never `flatten`, `untagged` or internally tagged enums: they lose the positions
/// that diagnostics need. Secrets are [`Secret`](crate::Secret), durations [`Period`](crate::Period), sizes
/// [`Size`](crate::Size). `Serialize` writes the effective settings, defaults filled in, for `callgate config`.
pub trait Settings: DeserializeOwned + Serialize + JsonSchema + Send + Sync + 'static {
    /// Checks what the types can't say: fields that need or exclude each other. Reads local files at most, never the
    /// network.
    fn check(&self) -> Vec<Invalid> {
        Vec::new()
    }
}

/// The settings of a target: what a route names in an upstream.
pub trait Target: Settings {
    /// The field that a function's name stands for: `to: orders/create` is read as `{NAME: create}`. `None` for a kind
    /// whose functions have no names.
    const NAME: Option<&'static str>;

    /// Whether a route has to name a function of a kind whose functions have names. `false` for a kind that can tell by
    /// itself, from the upstream's settings or the target's other options, which function is meant; its
    /// [`Upstream::bind`](crate::Upstream::bind) then says when it can't.
    const NEEDS_NAME: bool = true;
}

/// A setting that can't be right, found after the types were read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Invalid {
    /// The field's path below the settings: `credentials.file`; empty for the settings as a whole.
    pub field: String,
    /// What is wrong.
    pub message: String,
    /// What would be right.
    pub hint: Option<String>,
}

/// A template that is wrong; [`Invalid::at`] names its field.
impl From<Flaw> for Invalid {
    fn from(flaw: Flaw) -> Self {
        Self { field: String::new(), message: flaw.message, hint: flaw.hint }
    }
}

/// A tree of templates, with everything that is wrong in it and the first hint.
impl From<Vec<Flaw>> for Invalid {
    fn from(flaws: Vec<Flaw>) -> Self {
        let messages: Vec<_> = flaws.iter().map(|flaw| flaw.message.as_str()).collect();
        let message = messages.join("; ");
        Self { field: String::new(), message, hint: flaws.into_iter().find_map(|flaw| flaw.hint) }
    }
}

impl Invalid {
    /// A message about the settings as a whole.
    pub fn new(message: impl Into<String>) -> Self {
        Self { field: String::new(), message: message.into(), hint: None }
    }

    /// Names the field that is wrong.
    #[must_use]
    pub fn at(mut self, field: impl Into<String>) -> Self {
        self.field = field.into();
        self
    }

    /// Says what would be right.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}
