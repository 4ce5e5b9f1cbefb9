//! Why a value does not fit.

use std::fmt;

use callgate_document::nearest;

/// The longest name of a member that is repeated.
const LONGEST: usize = 64;

/// A value that does not fit, and where it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mismatch {
    /// From the value up to the input.
    path: Vec<String>,
    message: String,
}

impl Mismatch {
    /// What is wrong, to stand behind the value's name.
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self { path: Vec::new(), message: message.into() }
    }

    /// What the value should be.
    pub(crate) fn wanted(wanted: &str) -> Self {
        Self::new(format!("has to be {wanted}"))
    }

    /// A member that nothing is known of.
    pub(crate) fn unknown<'a>(key: &str, of: &str, known: impl Iterator<Item = &'a str> + Clone) -> Self {
        let message = match nearest(key, known.clone()) {
            Some(near) => format!("is no part of {of}; did you mean `{near}`?"),
            None => match some_of(known) {
                parts if parts.is_empty() => format!("is no part of {of}, which has none"),
                parts => format!("is no part of {of}, which has {parts}"),
            },
        };
        Self::new(message).below(key)
    }

    /// A type that is not named, or has no such name.
    pub(crate) fn unknown_type<'a>(known: impl Iterator<Item = &'a str>) -> Self {
        Self::wanted(&format!("one of the types {}", some_of(known))).below(super::TYPE)
    }

    /// The member that the value is in.
    pub(crate) fn below(mut self, key: &str) -> Self {
        let end = key.char_indices().map(|(at, _)| at).nth(LONGEST);
        self.path.push(match end {
            Some(end) => format!("{}…", &key[..end]),
            None => key.to_owned(),
        });
        self
    }

    /// The item of a list that the value is in.
    pub(crate) fn below_item(mut self, key: &str, at: usize) -> Self {
        self = self.below(key);
        if let Some(last) = self.path.last_mut() {
            last.push_str(&format!("[{at}]"));
        }
        self
    }
}

/// A sentence that clients may read.
impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.path.is_empty() {
            return write!(f, "The input {}.", self.message);
        }
        let path: Vec<_> = self.path.iter().rev().map(String::as_str).collect();
        write!(f, "`{}` {}{}", path.join("."), self.message, if self.message.ends_with('?') { "" } else { "." })
    }
}

impl std::error::Error for Mismatch {}

fn some_of<'a>(names: impl Iterator<Item = &'a str>) -> String {
    const SHOWN: usize = 8;
    let mut names = names.map(|name| format!("`{name}`"));
    let mut shown: Vec<_> = names.by_ref().take(SHOWN).collect();
    let more = names.count();
    if more > 0 {
        shown.push(format!("{more} more"));
    }
    shown.join(", ")
}
