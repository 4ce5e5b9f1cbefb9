//! Where each character of a scalar is written: between quotes, on several lines, behind escapes.

use callgate_transform::Run;

use crate::Span;

/// The runs of a scalar: `raw` is how it is written, from the place `at` on, and `text` what it says.
///
/// White space is where YAML folds and indents, and everything else stands in both in the same order, so the two are
/// walked side by side and white space is passed over. What cannot be followed has no runs of its own.
pub(crate) fn runs(raw: &str, text: &str, at: Span) -> Vec<Run> {
    let mut written = Written::new(raw, at);
    let mut runs: Vec<Run> = Vec::new();
    let (mut expected, mut before) = ((0, 0), 0);
    for (start, char) in text.char_indices() {
        if char.is_whitespace() {
            before += 1;
            continue;
        }
        let Some(((line, column), found)) = written.next() else { break };
        if found != char {
            break;
        }
        if expected.0 != line || expected.1 + before != column {
            runs.push(Run { start: u32::try_from(start).unwrap_or(u32::MAX), line, column, given: false });
        }
        // An escape is longer than what it stands for.
        (expected, before) = ((line, column + 1), 0);
    }
    runs
}

/// The characters of a scalar as they are written, without white space, each with line and column.
struct Written<'a> {
    chars: std::str::Chars<'a>,
    line: u32,
    column: u32,
    style: Style,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Style {
    Single,
    Double,
    Other,
}

impl<'a> Written<'a> {
    fn new(raw: &'a str, at: Span) -> Self {
        let first = raw.chars().next();
        let style = match first {
            Some('"') => Style::Double,
            Some('\'') => Style::Single,
            _ => Style::Other,
        };
        let mut written = Self { chars: raw.chars(), line: at.line, column: at.column, style };
        match first {
            Some('"' | '\'') => drop(written.advance()),
            // The header of a block scalar is its first line.
            Some('|' | '>') => while written.advance().is_some_and(|char| char != '\n') {},
            _ => {}
        }
        written
    }

    fn advance(&mut self) -> Option<char> {
        let char = self.chars.next()?;
        if char == '\n' {
            (self.line, self.column) = (self.line + 1, 1);
        } else {
            self.column += 1;
        }
        Some(char)
    }

    /// What an escape stands for; white space where it stands for a folded line end.
    fn escaped(&mut self) -> Option<char> {
        let digits = match self.advance()? {
            '0' => return Some('\0'),
            'a' => return Some('\u{7}'),
            'b' => return Some('\u{8}'),
            'e' => return Some('\u{1b}'),
            'n' | 't' | 'v' | 'f' | 'r' | 'N' | '_' | 'L' | 'P' | '\t' => return Some(' '),
            'x' => 2,
            'u' => 4,
            'U' => 8,
            other => return Some(other),
        };
        let code = (0..digits).try_fold(0, |code, _| Some(code * 16 + self.advance()?.to_digit(16)?))?;
        char::from_u32(code)
    }
}

impl Iterator for Written<'_> {
    type Item = ((u32, u32), char);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let place = (self.line, self.column);
            let char = match self.advance()? {
                '\\' if self.style == Style::Double => self.escaped()?,
                '\'' if self.style == Style::Single => self.advance()?,
                char => char,
            };
            if !char.is_whitespace() {
                return Some((place, char));
            }
        }
    }
}

/// The runs of a scalar that is written as it is, in one line.
pub(crate) fn plain(at: Span, quoted: bool) -> Vec<Run> {
    vec![Run { start: 0, line: at.line, column: at.column + u32::from(quoted), given: false }]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(raw: &str, text: &str, part: &str) -> Option<(u32, u32)> {
        let at = Span { source: 0, line: 3, column: 7, length: 1 };
        Run::place(&runs(raw, text, at), text, text.find(part).unwrap())
    }

    #[test]
    fn every_style_is_followed() {
        assert_eq!(place("a {{ b }}", "a {{ b }}", "b"), Some((3, 12)));
        assert_eq!(place("\"é {{ b }}\"", "é {{ b }}", "b"), Some((3, 13)));
        assert_eq!(place(r#""\"\u00e9\n{{ b }}""#, "\"é\n{{ b }}", "b"), Some((3, 21)));
        assert_eq!(place("'it''s {{ b }}'", "it's {{ b }}", "b"), Some((3, 17)));
        assert_eq!(place("\"one\n    {{ b }}\"", "one {{ b }}", "b"), Some((4, 8)));
        assert_eq!(place("\"one\\\n    {{ b }}\"", "one{{ b }}", "b"), Some((4, 8)));
        assert_eq!(place("|\n    one\n      {{ b }}\n", "one\n  {{ b }}\n", "b"), Some((5, 10)));
        assert_eq!(place(">- # why\n    one\n    {{ b }}\n", "one {{ b }}", "b"), Some((5, 8)));
    }

    #[test]
    fn what_does_not_fit_has_no_place() {
        assert_eq!(place("abc", "xyz", "y"), None);
        assert_eq!(place("", "y", "y"), None);
    }

    proptest::proptest! {
        #[test]
        fn nothing_panics(raw in "['\"|>\\\\ a-c\nux0-9é]*", text in "['\" a-c\né]*") {
            runs(&raw, &text, Span { source: 0, line: 1, column: 1, length: 1 });
        }
    }
}
