//! Paths of operations, with parameters in braces.

use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

/// What can't stand in a path as it is.
const LITERAL: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'<')
    .add(b'>')
    .add(b'?')
    .add(b'`')
    .add(b'{')
    .add(b'}')
    .add(b'\\')
    .add(b'^')
    .add(b'|');

/// A path in pieces, and the query that some documents write into it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PathTemplate {
    pub(crate) pieces: Vec<Piece>,
    pub(crate) query: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Piece {
    /// Text, escaped.
    Literal(String),
    /// The name of a parameter.
    Parameter(String),
}

impl PathTemplate {
    pub(crate) fn parse(path: &str) -> Self {
        // Some documents tell operations of one path apart by a fragment, which no service sees.
        let path = path.split('#').next().unwrap_or_default();
        let (path, query) = match path.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (path, None),
        };
        let mut pieces = Vec::new();
        let mut rest = path;
        if !rest.starts_with('/') {
            pieces.push(Piece::Literal("/".to_owned()));
        }
        while !rest.is_empty() {
            let (literal, after) = rest.split_at(rest.find('{').unwrap_or(rest.len()));
            if !literal.is_empty() {
                pieces.push(Piece::Literal(utf8_percent_encode(literal, LITERAL).to_string()));
            }
            match after.find('}') {
                Some(end) => {
                    pieces.push(Piece::Parameter(after[1..end].to_owned()));
                    rest = &after[end + 1..];
                }
                None => {
                    pieces.extend(
                        (!after.is_empty()).then(|| Piece::Literal(utf8_percent_encode(after, LITERAL).to_string())),
                    );
                    rest = "";
                }
            }
        }
        let query =
            query.map(|query| utf8_percent_encode(query, LITERAL).to_string()).filter(|query| !query.is_empty());
        Self { pieces, query }
    }

    pub(crate) fn parameters(&self) -> impl Iterator<Item = &str> {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Parameter(name) => Some(name.as_str()),
            Piece::Literal(_) => None,
        })
    }
}

/// A segment that names no resource of its own: the server would leave the path by it.
pub(crate) fn has_dots(path: &str) -> bool {
    path.split('/').any(|segment| matches!(segment, "." | ".."))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn literal(text: &str) -> Piece {
        Piece::Literal(text.to_owned())
    }

    fn parameter(name: &str) -> Piece {
        Piece::Parameter(name.to_owned())
    }

    #[test]
    fn a_path_is_literals_and_parameters() {
        let path = PathTemplate::parse("/a b/{id}.{ext}/x#GET");
        assert_eq!(path.pieces, [literal("/a%20b/"), parameter("id"), literal("."), parameter("ext"), literal("/x")]);
        let path = PathTemplate::parse("pets?{x}=1");
        assert_eq!(
            (&path.pieces[..], path.query.as_deref()),
            (&[literal("/"), literal("pets")][..], Some("%7Bx%7D=1"))
        );
        assert_eq!(PathTemplate::parse("/a{b").pieces, [literal("/a"), literal("%7Bb")]);
    }
}
