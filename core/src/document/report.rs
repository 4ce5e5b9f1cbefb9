//! All that is wrong with a document, in the order of its lines.

use std::{fmt, sync::Arc};

use super::{
    Flaw, Sources,
    render::{self, Excerpt},
};

/// The flaws of a document with the texts they point into.
///
/// Displays each flaw with its source line and a caret, then a line that counts them.
#[derive(Clone, Debug)]
pub struct Report {
    flaws: Vec<Flaw>,
    sources: Arc<Sources>,
}

impl std::error::Error for Report {}

impl Report {
    /// Sorts flaws by place and drops repeated ones.
    #[must_use]
    pub fn new(mut flaws: Vec<Flaw>, sources: Arc<Sources>) -> Self {
        flaws.sort_by(|a, b| (a.at, &a.message).cmp(&(b.at, &b.message)));
        flaws.dedup_by(|a, b| (a.at, &a.message) == (b.at, &b.message));
        Self { flaws, sources }
    }

    /// The flaws, sorted by place.
    #[must_use]
    pub fn flaws(&self) -> &[Flaw] {
        &self.flaws
    }

    /// The texts that the flaws point into.
    #[must_use]
    pub fn sources(&self) -> &Sources {
        &self.sources
    }

    /// Whether any flaw forbids the use of the document.
    #[must_use]
    pub fn has_errors(&self) -> bool {
        self.flaws.iter().any(Flaw::is_error)
    }

    /// Whether nothing is wrong.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.flaws.is_empty()
    }

    /// The same without the lines of the sources, which may hold secrets: for logs, and for all that is kept.
    #[must_use]
    pub const fn brief(&self) -> Brief<'_> {
        Brief(self)
    }

    fn summary(&self) -> String {
        let errors = self.flaws.iter().filter(|flaw| flaw.is_error()).count();
        let warnings = self.flaws.len() - errors;
        let counts = match (errors, warnings) {
            (0, warnings) => counted(warnings, "warning"),
            (errors, 0) => counted(errors, "error"),
            (errors, warnings) => {
                format!("{}, {}", counted(errors, "error"), counted(warnings, "warning"))
            }
        };
        let mut names: Vec<&str> = Vec::new();
        for flaw in &self.flaws {
            if let Some(name) = self.sources.name(flaw.at.source)
                && !names.contains(&name)
            {
                names.push(name);
            }
        }
        match names.as_slice() {
            [] => counts,
            [name] => format!("{counts} in {name}"),
            names => format!("{counts} in {} files", names.len()),
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for flaw in &self.flaws {
            render::flaw(f, flaw, &self.sources, Excerpt::Shown)?;
            writeln!(f)?;
        }
        f.write_str(&self.summary())
    }
}

/// A report without the lines of its sources.
#[derive(Debug, Clone, Copy)]
pub struct Brief<'a>(&'a Report);

impl fmt::Display for Brief<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for flaw in &self.0.flaws {
            render::flaw(f, flaw, &self.0.sources, Excerpt::LeftOut)?;
            writeln!(f)?;
        }
        f.write_str(&self.0.summary())
    }
}

fn counted(count: usize, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}
