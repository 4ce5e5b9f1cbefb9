//! The path of a value in a document: `routes[3].to.function`.

use std::{fmt, sync::Arc};

/// A path in the document, cheap to extend and to copy.
///
/// Displays as `routes[3].to.function`; a key that is not a plain word is quoted: `hosts["api.example.com"]`.
/// The root displays as nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DocPath(Option<Arc<Step>>);

#[derive(Debug, PartialEq, Eq)]
struct Step {
    parent: DocPath,
    name: Name,
}

#[derive(Debug, PartialEq, Eq)]
enum Name {
    Key(Box<str>),
    Index(usize),
}

impl DocPath {
    /// The path of the document itself.
    #[must_use]
    pub const fn root() -> Self {
        Self(None)
    }

    /// The path of a key's value in the mapping at this path.
    #[must_use]
    pub fn key(&self, key: &str) -> Self {
        self.step(Name::Key(key.into()))
    }

    /// The path of an item, counted from 0, in the list at this path.
    #[must_use]
    pub fn index(&self, index: usize) -> Self {
        self.step(Name::Index(index))
    }

    /// Whether this is the document itself.
    #[must_use]
    pub const fn is_root(&self) -> bool {
        self.0.is_none()
    }

    fn step(&self, name: Name) -> Self {
        Self(Some(Arc::new(Step { parent: self.clone(), name })))
    }
}

impl fmt::Display for DocPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(step) = &self.0 else { return Ok(()) };
        step.parent.fmt(f)?;
        match &step.name {
            Name::Index(index) => write!(f, "[{index}]"),
            Name::Key(key) if !is_word(key) => write!(f, "[{key:?}]"),
            Name::Key(key) if step.parent.is_root() => f.write_str(key),
            Name::Key(key) => write!(f, ".{key}"),
        }
    }
}

fn is_word(key: &str) -> bool {
    !key.is_empty() && key.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_that_are_not_words_are_quoted() {
        let root = DocPath::root();
        assert_eq!(root.to_string(), "");
        assert_eq!(root.key("routes").index(3).key("to").key("function").to_string(), "routes[3].to.function");
        let host = root.key("hosts").key("api.example.com").key("routes").index(0);
        assert_eq!(host.to_string(), "hosts[\"api.example.com\"].routes[0]");
        assert_eq!(root.key("*.a").to_string(), "[\"*.a\"]");
    }
}
