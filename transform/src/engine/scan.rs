//! What can be told from a template's text: its literals, its filters and tests, whether it is one lone expression.

use std::ops::Range;

/// Whether a text has anything for the engine to do.
pub(crate) fn looks_like_template(text: &str) -> bool {
    text.contains("{{") || text.contains("{%") || text.contains("{#")
}

/// A part of a template.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Piece<'a> {
    Literal(&'a str),
    /// The literal text of a raw block.
    Raw(&'a str),
    Expression(&'a str),
    Statement(&'a str),
    Comment,
}

/// Cuts a template into its pieces. What the engine would refuse is cut somehow.
fn pieces(text: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some(at) = next_tag(rest) {
        if at > 0 {
            pieces.push(Piece::Literal(&rest[..at]));
        }
        let (kind, inner) = (rest.as_bytes()[at + 1], &rest[at + 2..]);
        let end = match kind {
            b'#' => inner.find("#}"),
            b'%' => tag_end(inner, "%}"),
            _ => tag_end(inner, "}}"),
        };
        let Some(end) = end else { return pieces };
        let tag = inner[..end].trim_matches(['-', '+']).trim();
        rest = &inner[end + 2..];
        match kind {
            b'#' => pieces.push(Piece::Comment),
            b'%' if tag == "raw" => {
                let (raw, after) = raw_block(rest);
                pieces.push(Piece::Raw(raw));
                rest = after;
            }
            b'%' => pieces.push(Piece::Statement(tag)),
            _ => pieces.push(Piece::Expression(tag)),
        }
    }
    if !rest.is_empty() {
        pieces.push(Piece::Literal(rest));
    }
    pieces
}

fn next_tag(text: &str) -> Option<usize> {
    text.as_bytes().windows(2).position(|pair| matches!(pair, b"{{" | b"{%" | b"{#"))
}

/// Where a tag ends, outside of strings and of the brackets of its expression.
fn tag_end(inner: &str, close: &str) -> Option<usize> {
    let bytes = inner.as_bytes();
    let (mut at, mut depth) = (0, 0_usize);
    while at < bytes.len() {
        match bytes[at] {
            b'"' | b'\'' => {
                at = behind_quoted(bytes, at);
                continue;
            }
            _ if depth == 0 && bytes[at..].starts_with(close.as_bytes()) => return Some(at),
            b'{' | b'[' | b'(' => depth += 1,
            b'}' | b']' | b')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        at += 1;
    }
    None
}

/// The text up to the end of a raw block, and what follows it.
fn raw_block(rest: &str) -> (&str, &str) {
    let mut from = 0;
    while let Some(open) = rest[from..].find("{%") {
        let open = from + open;
        let inner = &rest[open + 2..];
        if let Some(close) = inner.find("%}")
            && inner[..close].trim_matches(['-', '+']).trim() == "endraw"
        {
            return (&rest[..open], &inner[close + 2..]);
        }
        from = open + 2;
    }
    (rest, "")
}

/// The literal texts of a template.
pub(crate) fn literals(text: &str) -> Vec<&str> {
    let literal = |piece| match piece {
        Piece::Literal(literal) | Piece::Raw(literal) => Some(literal),
        Piece::Expression(_) | Piece::Statement(_) | Piece::Comment => None,
    };
    pieces(text).into_iter().filter_map(literal).collect()
}

/// The code of a template's expressions and statements.
pub(super) fn codes(text: &str) -> Vec<&str> {
    let code = |piece| match piece {
        Piece::Expression(code) | Piece::Statement(code) => Some(code),
        Piece::Literal(_) | Piece::Raw(_) | Piece::Comment => None,
    };
    pieces(text).into_iter().filter_map(code).collect()
}

/// Whether a template has statements, so that its literals may be left out or repeated.
pub(crate) fn has_statements(text: &str) -> bool {
    pieces(text).iter().any(|piece| matches!(piece, Piece::Statement(_)))
}

/// The values that the first expression of a template names; none when something else comes first that is no text.
pub(crate) fn first_expression_names(text: &str) -> Option<Vec<&str>> {
    let first = pieces(text).into_iter().find(|piece| !matches!(piece, Piece::Literal(_) | Piece::Comment))?;
    let Piece::Expression(code) = first else { return None };
    let mut applied = Applied::default();
    applied_in(code, &mut applied);
    applied.names.retain(|name| !applied.filters.contains(name));
    Some(applied.names)
}

/// The expression of a text that is one lone `{{ expression }}`, white space around it aside.
pub(crate) fn is_lone_expression(text: &str) -> Option<&str> {
    match pieces(text.trim())[..] {
        [Piece::Expression(expression)] => Some(expression),
        _ => None,
    }
}

/// The pieces of a text that has expressions alone, and leaves white space as it is: literals and expressions.
pub(crate) fn expressions_in_text(text: &str) -> Option<Vec<Result<&str, &str>>> {
    if ["{%", "{#", "{{-", "{{+", "-}}", "+}}"].iter().any(|mark| text.contains(mark)) {
        return None;
    }
    let piece = |piece| match piece {
        Piece::Literal(literal) | Piece::Raw(literal) => Some(Ok(literal)),
        Piece::Expression(expression) => Some(Err(expression)),
        Piece::Statement(_) | Piece::Comment => None,
    };
    pieces(text).into_iter().map(piece).collect()
}

/// What a part of a template's text is to the engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Zone {
    Literal(Range<usize>),
    /// The literal text of a raw block.
    Raw(Range<usize>),
    /// A text inside an expression or statement, and its quote.
    Quoted(char, Range<usize>),
    /// What else stands in an expression or statement.
    Code(Range<usize>),
}

impl Zone {
    /// The zone that a part of the text lies in; none for a comment.
    pub(crate) fn of(zones: &[Self], start: usize, end: usize) -> Option<&Self> {
        zones.iter().find(|zone| {
            let (Self::Literal(range) | Self::Raw(range) | Self::Quoted(_, range) | Self::Code(range)) = zone;
            range.start <= start && end <= range.end
        })
    }
}

/// The zones of a template, in their order.
pub(crate) fn zones(text: &str) -> Vec<Zone> {
    let mut zones = Vec::new();
    let range = |part: &str| {
        let start = part.as_ptr().addr() - text.as_ptr().addr();
        start..start + part.len()
    };
    for piece in pieces(text) {
        match piece {
            Piece::Literal(literal) => zones.push(Zone::Literal(range(literal))),
            Piece::Raw(raw) => zones.push(Zone::Raw(range(raw))),
            Piece::Expression(code) | Piece::Statement(code) => zones_in(code, range(code).start, &mut zones),
            Piece::Comment => {}
        }
    }
    zones
}

/// The zones of an expression without braces.
pub(crate) fn zones_of_code(code: &str) -> Vec<Zone> {
    let mut zones = Vec::new();
    zones_in(code, 0, &mut zones);
    zones
}

fn zones_in(code: &str, offset: usize, zones: &mut Vec<Zone>) {
    let bytes = code.as_bytes();
    let (mut at, mut from) = (0, 0);
    while at < bytes.len() {
        let quote = bytes[at];
        at += 1;
        if quote != b'"' && quote != b'\'' {
            continue;
        }
        zones.push(Zone::Code(offset + from..offset + at));
        let text = at;
        from = end_of_quoted(bytes, at - 1);
        zones.push(Zone::Quoted(char::from(quote), offset + text..offset + from));
        at = (from + 1).min(bytes.len());
    }
    zones.push(Zone::Code(offset + from..offset + bytes.len()));
}

/// Where the text ends whose quote opens here: at the quote that closes it, or at the end of all.
fn end_of_quoted(bytes: &[u8], open: usize) -> usize {
    let mut at = open + 1;
    while at < bytes.len() && bytes[at] != bytes[open] {
        at += if bytes[at] == b'\\' { 2 } else { 1 };
    }
    at.min(bytes.len())
}

/// Behind the text whose quote opens here.
pub(super) fn behind_quoted(bytes: &[u8], open: usize) -> usize {
    (end_of_quoted(bytes, open) + 1).min(bytes.len())
}

/// Filters, tests and values that a template names.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Applied<'a> {
    pub(super) filters: Vec<&'a str>,
    pub(super) tests: Vec<&'a str>,
    /// Every name that is no attribute.
    pub(super) names: Vec<&'a str>,
}

/// The filters and tests of a text template.
pub(super) fn applied(text: &str) -> Applied<'_> {
    let mut applied = Applied::default();
    for piece in pieces(text) {
        match piece {
            Piece::Expression(code) => applied_in(code, &mut applied),
            Piece::Statement(code) => {
                if let Some(filter) = code.strip_prefix("filter ") {
                    applied.filters.extend(identifier(filter.trim_start()));
                }
                applied_in(code, &mut applied);
            }
            Piece::Literal(_) | Piece::Raw(_) | Piece::Comment => {}
        }
    }
    applied
}

/// The filters and tests of an expression.
pub(super) fn applied_in<'a>(code: &'a str, applied: &mut Applied<'a>) {
    let bytes = code.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        match bytes[at] {
            b'"' | b'\'' => at = behind_quoted(bytes, at),
            b'|' => {
                at += 1;
                let rest = code.get(at..).unwrap_or("").trim_start();
                applied.filters.extend(identifier(rest));
            }
            byte if byte.is_ascii_alphabetic() || byte == b'_' => {
                let word = identifier(&code[at..]).unwrap_or("");
                let attribute = code[..at].trim_end().ends_with('.');
                at += word.len().max(1);
                if !attribute {
                    applied.names.push(word);
                }
                if word == "is" && !attribute {
                    let rest = code.get(at..).unwrap_or("").trim_start();
                    let rest = rest.strip_prefix("not ").unwrap_or(rest).trim_start();
                    applied.tests.extend(identifier(rest));
                }
            }
            _ => at += 1,
        }
    }
}

fn identifier(text: &str) -> Option<&str> {
    let end = text.find(|char: char| !char.is_alphanumeric() && char != '_').unwrap_or(text.len());
    (end > 0).then(|| &text[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_a_lone_expression() {
        assert_eq!(is_lone_expression(" {{ body.price * 2 }} "), Some("body.price * 2"));
        assert_eq!(is_lone_expression("{{- '}}' ~ {'a': {'b': 1}} -}}"), Some("'}}' ~ {'a': {'b': 1}}"));
        assert_eq!(is_lone_expression("{{ a }}{{ b }}"), None);
        assert_eq!(is_lone_expression("for {{ a }}"), None);
        assert_eq!(is_lone_expression("{% raw %}{{ a }}{% endraw %}"), None);
    }

    #[test]
    fn a_raw_block_may_hold_what_is_no_tag() {
        assert_eq!(literals("{% raw %}a{%}b{% endraw %}c"), ["a{%}b", "c"]);
        assert_eq!(literals("{% raw %}a{%}"), ["a{%}"]);
    }

    #[test]
    fn names_filters_and_tests_but_no_text() {
        let found = applied(
            "| no {{ a | one | two('| no') }} {% if b is not odd %}{% filter three %}x{% endfilter %}{% endif %}{% raw %}{{ a | no }}{% endraw %}",
        );
        assert_eq!(found.filters, ["one", "two", "three"]);
        assert_eq!(found.tests, ["odd"]);
        assert!(found.names.contains(&"a") && !found.names.contains(&"no"));
    }

    #[test]
    fn tells_texts_from_code() {
        let text = "a{{ b ~ 'c' }}{% raw %}d{% endraw %}{# e #}";
        let at = |part: &str| {
            let start = text.find(part).unwrap();
            Zone::of(&zones(text), start, start + part.len()).cloned()
        };
        assert_eq!(at("a"), Some(Zone::Literal(0..1)));
        assert!(matches!(at("b"), Some(Zone::Code(_))));
        assert_eq!(at("c"), Some(Zone::Quoted('\'', 9..10)));
        assert!(matches!(at("d"), Some(Zone::Raw(_))));
        assert_eq!(at(" e "), None);
    }

    #[test]
    fn cuts_any_text_without_panic() {
        for text in ["{{", "{%", "{{ '", "{{ a }", "{% raw %}{%", "é{{é}}é", "{{ \\", "{{'\\"] {
            literals(text);
            applied(text);
            zones(text);
            zones_of_code(text);
        }
    }
}
