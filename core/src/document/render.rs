//! A flaw is shown with its source line and a caret below the place.

use std::fmt;

use unicode_width::UnicodeWidthChar;

use super::{Flaw, Severity, Sources, Span};

/// The widest source line that is shown whole.
const WIDTH: usize = 100;
/// How much of a wide line is shown before the caret.
const BEFORE: usize = 40;
const TAB: &str = "    ";

/// Whether the source line is shown.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Excerpt {
    Shown,
    /// It may hold secrets that are written there.
    LeftOut,
}

pub(super) fn flaw(f: &mut fmt::Formatter<'_>, flaw: &Flaw, sources: &Sources, lines: Excerpt) -> fmt::Result {
    let severity = match flaw.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    };
    // A message of several lines keeps its shape below its first.
    writeln!(f, "{severity}: {}", flaw.message.replace('\n', "\n  "))?;
    let gutter = if flaw.at.line == 0 { 1 } else { flaw.at.line.to_string().len() };
    if flaw.at.line != 0 || flaw.label.is_some() {
        write!(f, "{:gutter$} --> {}", "", sources.place(flaw.at))?;
        if !flaw.path.is_empty() {
            write!(f, " in {}", flaw.path)?;
        }
        writeln!(f)?;
    }
    if lines == Excerpt::LeftOut {
        if let Some(label) = &flaw.label {
            writeln!(f, "{:gutter$}  = {label}", "")?;
        }
    } else if let Some(line) = sources.line(flaw.at) {
        let (shown, before, width) = excerpt(line, flaw.at);
        writeln!(f, "{:gutter$}  |", "")?;
        writeln!(f, " {} | {shown}", flaw.at.line)?;
        write!(f, "{:gutter$}  | {:before$}{}", "", "", "^".repeat(width))?;
        match &flaw.label {
            Some(label) => writeln!(f, " {label}")?,
            None => writeln!(f)?,
        }
    }
    for (at, text) in &flaw.related {
        writeln!(f, "{:gutter$}  = note: {text}: {}", "", sources.place(*at))?;
    }
    if let Some(hint) = &flaw.hint {
        writeln!(f, "{:gutter$}  = help: {hint}", "")?;
    }
    Ok(())
}

/// The part of a line around a place, with the columns before the caret and the caret's width.
fn excerpt(line: &str, at: Span) -> (String, usize, usize) {
    let start = at.column.saturating_sub(1) as usize;
    let end = start.saturating_add(at.length.max(1) as usize);
    let mut cells: Vec<(String, usize)> = line.trim_end().chars().map(cell).collect();
    let wide = |cells: &[(String, usize)]| cells.iter().map(|(_, width)| width).sum::<usize>();
    let (start, mut end) = (start.min(cells.len()), end.min(cells.len()));
    let mut before = wide(&cells[..start]);
    let mut first = 0;
    let mut prefix = "";
    if before > BEFORE && wide(&cells) > WIDTH {
        while before > BEFORE {
            before -= cells[first].1;
            first += 1;
        }
        prefix = "...";
        before += prefix.len();
    }
    let mut suffix = "";
    let mut last = first;
    let mut shown = prefix.len();
    while last < cells.len() && shown + cells[last].1 <= WIDTH {
        shown += cells[last].1;
        last += 1;
    }
    if last < cells.len() {
        suffix = "...";
        end = end.min(last);
        cells.truncate(last);
    }
    let width = if end > start { wide(&cells[start..end]) } else { 0 };
    let text: String = cells[first..].iter().map(|(text, _)| text.as_str()).collect();
    (format!("{prefix}{text}{suffix}"), before, width.max(1))
}

/// How a character is shown, and how many columns that takes.
fn cell(c: char) -> (String, usize) {
    match c {
        '\t' => (TAB.to_owned(), TAB.len()),
        c if c.is_control() => ("\u{fffd}".to_owned(), 1),
        c => (c.to_string(), c.width().unwrap_or(0)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(column: u32, length: u32) -> Span {
        Span { source: 0, line: 1, column, length }
    }

    #[test]
    fn tabs_and_wide_characters_keep_the_caret_right() {
        assert_eq!(excerpt("\tkey: x", at(7, 1)), ("    key: x".to_owned(), 9, 1));
        assert_eq!(excerpt("日本: 値段", at(5, 2)), ("日本: 値段".to_owned(), 6, 4));
    }

    #[test]
    fn a_long_line_is_cut_around_the_caret() {
        let line = format!("{}HERE{}", "a".repeat(300), "b".repeat(300));
        let (shown, before, width) = excerpt(&line, at(301, 4));
        assert_eq!(&shown[before..before + width], "HERE");
        assert!(shown.len() < 120 && shown.starts_with("...a") && shown.ends_with("b..."));
    }

    proptest::proptest! {
        #[test]
        fn no_place_panics(line in ".{0,300}", column in 0u32..400, length in proptest::num::u32::ANY) {
            let (_, before, width) = excerpt(&line, at(column, length));
            proptest::prop_assert!(before <= 2 * WIDTH && width >= 1);
        }
    }
}
