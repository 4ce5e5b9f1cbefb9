//! The texts that a document was read from.

use std::{fmt, sync::Arc};

use super::{NamedFiles, Span};

/// One file of a document.
#[derive(Clone)]
pub(super) struct Source {
    /// The name that diagnostics give it.
    pub(super) name: String,
    pub(super) text: String,
}

/// Shows no text: it may hold a secret.
impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Source").field("name", &self.name).finish_non_exhaustive()
    }
}

/// The files of a document, numbered as [`Span::source`] counts them.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    texts: Vec<Source>,
    named: Arc<NamedFiles>,
}

impl Sources {
    /// The name of a file, as it was given or included.
    #[must_use]
    pub fn name(&self, source: u32) -> Option<&str> {
        self.get(source).map(|source| source.name.as_str())
    }

    /// The name of a file with line and column: `callgate.yaml:4:14`.
    #[must_use]
    pub fn place(&self, at: Span) -> String {
        let name = self.name(at.source).unwrap_or("configuration");
        if at.line == 0 { name.to_owned() } else { format!("{name}:{}:{}", at.line, at.column) }
    }

    /// All files that the configuration names, those that could not be read too.
    #[must_use]
    pub const fn named(&self) -> &Arc<NamedFiles> {
        &self.named
    }

    pub(super) fn add(&mut self, name: String, text: String) -> u32 {
        self.texts.push(Source { name, text });
        u32::try_from(self.texts.len() - 1).unwrap_or(u32::MAX)
    }

    pub(super) fn get(&self, source: u32) -> Option<&Source> {
        self.texts.get(source as usize)
    }

    /// The line of a place, without its end.
    pub(super) fn line(&self, at: Span) -> Option<&str> {
        let text = &self.get(at.source)?.text;
        text.split('\n').nth((at.line as usize).checked_sub(1)?).map(|line| line.strip_suffix('\r').unwrap_or(line))
    }

    /// The place of `part` within the text that `at` covers, searched after the first `after` bytes of it.
    ///
    /// Gives also how far the part reaches, so that a next search goes on from there.
    pub(super) fn find(&self, at: Span, part: &str, after: usize) -> Option<(Span, usize)> {
        let text = &self.get(at.source)?.text;
        let line: usize = text.split_inclusive('\n').take((at.line as usize).checked_sub(1)?).map(str::len).sum();
        let start = line + chars(text.get(line..)?, at.column.saturating_sub(1) as usize);
        let covered = text.get(start..)?;
        let covered = covered.get(..chars(covered, at.length as usize))?;
        let found = after + covered.get(after..)?.find(part)?;
        let before = covered.get(..found)?;
        let span = match before.rfind('\n') {
            None => Span { column: at.column + count(before), ..at },
            Some(end) => Span {
                line: at.line + u32::try_from(before.matches('\n').count()).unwrap_or(0),
                column: count(&before[end + 1..]) + 1,
                ..at
            },
        };
        Some((Span { length: count(part), ..span }, found + part.len()))
    }
}

/// The length in bytes of the first `count` characters.
fn chars(text: &str, count: usize) -> usize {
    text.char_indices().nth(count).map_or(text.len(), |(offset, _)| offset)
}

fn count(text: &str) -> u32 {
    u32::try_from(text.chars().count()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_found_in_a_later_line_of_a_scalar() {
        let mut sources = Sources::default();
        let source = sources.add("a".into(), "k: |\n  é ${A}\n  x ${B}\n".into());
        let at = Span { source, line: 1, column: 4, length: 40 };
        let (a, end) = sources.find(at, "${A}", 0).unwrap();
        assert_eq!((a.line, a.column, a.length), (2, 5, 4));
        let (b, _) = sources.find(at, "${B}", end).unwrap();
        assert_eq!((b.line, b.column), (3, 5));
        assert_eq!(sources.find(at, "${C}", 0), None);
    }
}
