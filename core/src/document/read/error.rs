//! What serde and the types report becomes a flaw at a place.

use std::fmt::{self, Display};

use serde::de::{self, Expected, Unexpected};

use super::{Session, identity};
use crate::document::{DocPath, Flaw, Node, Resolved, Span, Value, listed, mask::text_without, nearest};

/// Separates a hint from the message in the text of a type's own error.
pub(crate) const HELP: &str = "\nhelp: ";

#[derive(Debug)]
pub(super) struct Error {
    pub(super) problem: Problem,
    place: Option<Place>,
}

#[derive(Debug)]
pub(super) enum Problem {
    Wrong {
        message: String,
        label: Option<String>,
        hint: Option<String>,
    },
    /// A field is required and not there.
    Missing(&'static str),
}

#[derive(Debug)]
struct Place {
    at: Span,
    path: DocPath,
    /// The node to pass over when reading goes on.
    node: usize,
}

impl Error {
    pub(super) fn wrong(message: impl Into<String>) -> Self {
        let problem = Problem::Wrong { message: message.into(), label: None, hint: None };
        Self { problem, place: None }
    }

    /// The value is of another type than the one expected.
    pub(super) fn expected(expected: &str, node: &Node) -> Self {
        Self::wrong(format!("expected {expected}, found {}", found(node)))
    }

    pub(super) fn with_hint(mut self, text: impl Into<String>) -> Self {
        if let Problem::Wrong { hint, .. } = &mut self.problem {
            *hint = Some(text.into());
        }
        self
    }

    /// Says where, unless a deeper place is known.
    pub(super) fn or_at(self, node: &Node, path: &DocPath) -> Self {
        self.or_at_span(node.at, node, path)
    }

    /// Says where, when the place is not the node's own, as that of a key.
    pub(super) fn or_at_span(mut self, at: Span, node: &Node, path: &DocPath) -> Self {
        if self.place.is_none() {
            if let Problem::Wrong { message, label, hint } = &mut self.problem {
                let mut hidden = Vec::new();
                collect(node, &mut hidden);
                for text in [Some(message), label.as_mut(), hint.as_mut()].into_iter().flatten() {
                    if let Some(masked) = text_without(text, &hidden) {
                        *text = masked;
                    }
                }
            }
            self.place = Some(Place { at, path: path.clone(), node: identity(node) });
        }
        self
    }

    /// What failed, with the flaw unless it is a consequence of others.
    pub(super) fn into_failure(self, session: &Session) -> Option<Failure> {
        let Place { at, path, node } = self.place?;
        let (missing, consequence) = match self.problem {
            Problem::Missing(field) => (Some(field), session.explained.borrow().contains(&(node, field.into()))),
            Problem::Wrong { .. } => (None, session.incomplete.borrow().contains(&node)),
        };
        let flaw = match self.problem {
            Problem::Missing(field) => Flaw::error(at, &path, missing_text(field)),
            Problem::Wrong { message, label, hint } => Flaw { label, hint, ..Flaw::error(at, &path, message) },
        };
        Some(Failure { node, missing, flaw: (!consequence).then_some(flaw) })
    }
}

fn missing_text(field: &str) -> String {
    format!("the field `{field}` is required and not there")
}

/// A failed reading.
pub(super) struct Failure {
    /// The node that failed.
    pub(super) node: usize,
    /// The field that it lacks, if that is why.
    pub(super) missing: Option<&'static str>,
    pub(super) flaw: Option<Flaw>,
}

/// The flaw of a name that is not among those known.
pub(super) fn unknown(what: &str, name: &str, known: &[&'static str]) -> Error {
    let label = match known {
        [] => "nothing is expected here".to_owned(),
        [one] => format!("expected `{one}`"),
        _ => format!("expected one of {}", listed(known.iter().copied())),
    };
    let hint = nearest(name, known.iter().copied()).map(|name| format!("did you mean `{name}`?"));
    let problem = Problem::Wrong { message: format!("unknown {what} `{name}`"), label: Some(label), hint };
    Error { problem, place: None }
}

/// Values of references below a node. A short one is hidden only where it is quoted.
fn collect(node: &Node, hidden: &mut Vec<Resolved>) {
    for resolved in node.substituted.iter().flat_map(|substituted| &substituted.resolved) {
        if resolved.value.chars().count() >= 4 {
            hidden.push(resolved.clone());
        }
        for quote in ['`', '"', '\''] {
            let quoted = |text: &str| format!("{quote}{text}{quote}").into();
            hidden.push(Resolved { written: quoted(&resolved.written), value: quoted(&resolved.value) });
        }
    }
    node.entries().iter().for_each(|(_, value)| collect(value, hidden));
    node.items().iter().for_each(|item| collect(item, hidden));
}

/// A value in the terms of YAML.
fn found(node: &Node) -> String {
    if let Some(substituted) = &node.substituted {
        return format!("what `{}` gives", substituted.original);
    }
    match &node.value {
        Value::Null => "nothing".to_owned(),
        Value::Bool(value) => format!("`{value}`"),
        Value::Integer(_) | Value::Float(_) => {
            format!("the number `{}`", node.scalar_text().unwrap_or(""))
        }
        Value::String(text) => format!("text `{}`", short(text)),
        Value::Sequence(_) => "a list".to_owned(),
        Value::Mapping(_) => "a mapping".to_owned(),
    }
}

fn short(text: &str) -> String {
    let line = text.lines().next().unwrap_or("");
    match line.char_indices().nth(40) {
        Some((end, _)) => format!("{}...", &line[..end]),
        None if line.len() < text.trim_end().len() => format!("{line}..."),
        None => line.to_owned(),
    }
}

/// What a visitor expects, in the terms of YAML where serde's own words are Rust's.
fn wanted(expected: &dyn Expected) -> String {
    let text = expected.to_string();
    let yaml = match text.as_str() {
        "a boolean" => "true or false",
        "a string" => "text",
        "a sequence" => "a list",
        "a map" => "a mapping",
        "unit" => "nothing",
        "u8" | "u16" | "u32" | "u64" | "u128" | "usize" | "i8" | "i16" | "i32" | "i64" | "i128" | "isize" => {
            "a whole number"
        }
        "f32" | "f64" => "a number",
        text if text.starts_with("struct ") => "a mapping",
        text if text.starts_with("a nonzero ") => "a whole number other than 0",
        text => text,
    };
    yaml.to_owned()
}

fn given(unexpected: &Unexpected<'_>) -> String {
    match unexpected {
        Unexpected::Bool(value) => format!("`{value}`"),
        Unexpected::Unsigned(value) => format!("the number `{value}`"),
        Unexpected::Signed(value) => format!("the number `{value}`"),
        Unexpected::Float(value) => format!("the number `{value}`"),
        Unexpected::Str(text) => format!("text `{}`", short(text)),
        Unexpected::Unit | Unexpected::Option => "nothing".to_owned(),
        Unexpected::Seq => "a list".to_owned(),
        Unexpected::Map => "a mapping".to_owned(),
        other => other.to_string(),
    }
}

impl de::Error for Error {
    fn custom<T: Display>(message: T) -> Self {
        let text = message.to_string();
        match text.split_once(HELP) {
            Some((message, hint)) => Self::wrong(message).with_hint(hint),
            None => Self::wrong(text),
        }
    }

    fn invalid_type(unexpected: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::wrong(format!("expected {}, found {}", wanted(expected), given(&unexpected)))
    }

    fn invalid_value(unexpected: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::invalid_type(unexpected, expected)
    }

    fn invalid_length(length: usize, expected: &dyn Expected) -> Self {
        Self::wrong(format!("expected {}, found {length} items", wanted(expected)))
    }

    fn unknown_variant(variant: &str, expected: &'static [&'static str]) -> Self {
        unknown("value", variant, expected)
    }

    fn unknown_field(field: &str, expected: &'static [&'static str]) -> Self {
        unknown("field", field, expected)
    }

    fn missing_field(field: &'static str) -> Self {
        Self { problem: Problem::Missing(field), place: None }
    }

    fn duplicate_field(field: &'static str) -> Self {
        Self::wrong(format!("the field `{field}` is there twice, under two names"))
    }
}

impl std::error::Error for Error {}

impl Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.problem {
            Problem::Wrong { message, .. } => f.write_str(message),
            Problem::Missing(field) => f.write_str(&missing_text(field)),
        }
    }
}
