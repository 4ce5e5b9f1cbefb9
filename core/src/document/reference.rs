//! References to values that live outside the document: `${NAME}`, `${NAME:-default}`, `${file:/path}`.

use std::{io, path::Path};

/// Where references find their values.
pub trait References {
    /// The value of an environment variable, if it is set.
    fn variable(&self, name: &str) -> Option<String>;

    /// The content of a file.
    ///
    /// # Errors
    /// When it cannot be read or is not UTF-8.
    fn file(&self, path: &Path) -> io::Result<String>;
}

/// References to this process's environment and this machine's files.
#[derive(Clone, Copy, Debug, Default)]
pub struct System;

impl References for System {
    #[allow(clippy::disallowed_methods, reason = "references are the one place that reads the environment")]
    fn variable(&self, name: &str) -> Option<String> {
        std::env::var(name).ok()
    }

    fn file(&self, path: &Path) -> io::Result<String> {
        std::fs::read_to_string(path)
    }
}

/// Fills references in a text that stands in no document. `written` is how a value is written where it then stands.
///
/// # Errors
/// Why a reference gives nothing. No value is in it.
pub fn fill(text: &str, references: &dyn References, written: impl Fn(&str) -> String) -> Result<String, String> {
    let mut filled = String::new();
    for piece in pieces(text) {
        match piece {
            Piece::Literal(literal) => filled.push_str(literal),
            Piece::Variable { name, default, .. } => {
                match references.variable(name).filter(|value| !value.is_empty()) {
                    Some(value) => filled.push_str(&written(&value)),
                    None => filled.push_str(
                        default.ok_or_else(|| format!("the environment variable `{name}` is not set, or empty"))?,
                    ),
                }
            }
            Piece::File { path, .. } => {
                let content = references.file(Path::new(path));
                let content = content.map_err(|error| format!("cannot read the file `{path}`: {error}"))?;
                filled.push_str(&written(content.trim_end_matches(['\r', '\n'])));
            }
            Piece::Malformed { .. } => return Err("a `${` in it begins no reference".to_owned()),
        }
    }
    Ok(filled)
}

/// A piece of a scalar.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Piece<'a> {
    Literal(&'a str),
    /// `${NAME}` or `${NAME:-default}`.
    Variable {
        written: &'a str,
        name: &'a str,
        default: Option<&'a str>,
    },
    /// `${file:path}`.
    File {
        written: &'a str,
        path: &'a str,
    },
    /// Something that begins like a reference and is none.
    Malformed {
        written: &'a str,
    },
}

/// Parts a scalar into literal text and references; `$${` is a literal `${`.
pub(super) fn pieces(text: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some(start) = rest.find("${") {
        if rest[..start].ends_with('$') {
            pieces.push(Piece::Literal(&rest[..start - 1]));
            pieces.push(Piece::Literal("${"));
            rest = &rest[start + 2..];
            continue;
        }
        pieces.push(Piece::Literal(&rest[..start]));
        let end = rest[start..].find('}').map_or(rest.len(), |end| start + end + 1);
        pieces.push(reference(&rest[start..end]));
        rest = &rest[end..];
    }
    pieces.push(Piece::Literal(rest));
    pieces.retain(|piece| *piece != Piece::Literal(""));
    pieces
}

fn reference(written: &str) -> Piece<'_> {
    let malformed = Piece::Malformed { written };
    let Some(inner) = written.strip_prefix("${").and_then(|inner| inner.strip_suffix('}')) else {
        return malformed;
    };
    if inner.contains("${") {
        return malformed;
    }
    if let Some(path) = inner.strip_prefix("file:") {
        return if path.is_empty() { malformed } else { Piece::File { written, path } };
    }
    let (name, default) = match inner.split_once(":-") {
        Some((name, default)) => (name, Some(default)),
        None => (inner, None),
    };
    let starts = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    if starts && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
        Piece::Variable { written, name, default }
    } else {
        malformed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_is_told_apart() {
        assert_eq!(
            pieces("a ${B} ${C:-d:-e}${file:/f g}$${H} $ {"),
            [
                Piece::Literal("a "),
                Piece::Variable { written: "${B}", name: "B", default: None },
                Piece::Literal(" "),
                Piece::Variable { written: "${C:-d:-e}", name: "C", default: Some("d:-e") },
                Piece::File { written: "${file:/f g}", path: "/f g" },
                Piece::Literal("${"),
                Piece::Literal("H} $ {"),
            ]
        );
    }

    #[test]
    fn what_only_begins_like_a_reference_is_malformed() {
        for text in ["${", "${}", "${A", "${A B}", "${1A}", "${file:}", "${A:-${B}", "${A-b}"] {
            assert_eq!(pieces(text), [Piece::Malformed { written: text }]);
        }
    }

    proptest::proptest! {
        #[test]
        fn text_without_references_stays_whole(text in "[^$]*") {
            let expected = if text.is_empty() { vec![] } else { vec![Piece::Literal(text.as_str())] };
            proptest::prop_assert_eq!(pieces(&text), expected);
        }

        #[test]
        fn no_text_panics(text in "[${}:a\\-é]*") {
            pieces(&text);
        }
    }
}
