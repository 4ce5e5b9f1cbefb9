//! References in the scalars of a tree are replaced by what they refer to; keys and structure never change.

use std::path::PathBuf;

use callgate_transform::Run;

use super::{
    DocPath, Flaw, Node, References, Resolved, Sources, Span, Substituted, Value,
    reference::{Piece, pieces},
    resolve,
};

/// Replaces the references of one document.
pub(super) struct Substitution<'a> {
    pub(super) references: &'a dyn References,
    pub(super) sources: &'a Sources,
    /// The folder of each source, which paths are relative to.
    pub(super) folders: &'a [PathBuf],
    pub(super) flaws: Vec<Flaw>,
    pub(super) resolved: Vec<Resolved>,
    /// The files that references named.
    pub(super) files: Vec<PathBuf>,
}

impl Substitution<'_> {
    /// Replaces the references at and below a node.
    pub(super) fn apply(&mut self, node: &mut Node, path: &DocPath) {
        match &mut node.value {
            Value::Sequence(items) => {
                for (index, item) in items.iter_mut().enumerate() {
                    self.apply(item, &path.index(index));
                }
            }
            Value::Mapping(entries) => {
                for (key, value) in entries {
                    self.apply(value, &path.key(&key.text));
                }
            }
            Value::String(text) if node.substituted.is_none() && text.contains("${") => {
                let text = std::mem::take(text);
                self.scalar(node, &text, path);
            }
            Value::Null | Value::Bool(_) | Value::Integer(_) | Value::Float(_) | Value::String(_) => {}
        }
    }

    fn scalar(&mut self, node: &mut Node, text: &str, path: &DocPath) {
        let pieces = pieces(text);
        let mut value = String::new();
        let mut resolved = Vec::new();
        let mut missing = false;
        let mut references = 0;
        let mut searched = 0;
        let mut moved = Moved::new(node, text);
        for piece in &pieces {
            moved.piece(piece, value.len());
            let (written, found) = match piece {
                Piece::Literal(literal) => {
                    value.push_str(literal);
                    continue;
                }
                Piece::Variable { written, name, default } => (written, self.variable(name, *default)),
                Piece::File { written, path } => (written, self.file(path, node.at.source)),
                Piece::Malformed { written } => (
                    written,
                    Err((
                        format!("`{written}` is not a reference"),
                        "write `${NAME}`, `${NAME:-default}` or `${file:/path}`; a literal `${` is `$${`".to_owned(),
                    )),
                ),
            };
            references += 1;
            match found {
                Ok(Found::Hidden(found)) => {
                    value.push_str(&found);
                    resolved.push(Resolved { written: (*written).into(), value: found.into() });
                }
                Ok(Found::Default(default)) => value.push_str(default),
                Err((message, hint)) => {
                    missing = true;
                    let (at, end) = self.sources.find(node.at, written, searched).unwrap_or((node.at, searched));
                    searched = end;
                    self.flaws.push(Flaw::error(at, path, message).with_hint(hint));
                }
            }
        }
        self.resolved.extend(resolved.iter().cloned());
        node.runs = Some(moved.runs.into());
        if references > 0 {
            let substituted = Substituted { original: text.into(), resolved, missing };
            node.substituted = Some(Box::new(substituted));
        }
        let whole = references == 1 && pieces.len() == 1 && !missing;
        node.value = if whole && node.plain { resolve(&value) } else { Value::String(value.clone()) };
        if !matches!(node.value, Value::String(_)) {
            node.text = Some(value.into());
        }
    }

    fn variable<'d>(&self, name: &str, default: Option<&'d str>) -> Result<Found<'d>, (String, String)> {
        let value = self.references.variable(name);
        match (value, default) {
            // As in a shell, `:-` also replaces an empty value.
            (Some(value), None) => Ok(Found::Hidden(value)),
            (Some(value), Some(_)) if !value.is_empty() => Ok(Found::Hidden(value)),
            (_, Some(default)) => Ok(Found::Default(default)),
            (None, None) => Err((
                format!("the environment variable `{name}` is not set"),
                format!("set {name}, or give a default: `${{{name}:-...}}`"),
            )),
        }
    }

    fn file<'d>(&mut self, name: &str, source: u32) -> Result<Found<'d>, (String, String)> {
        let path = match self.folders.get(source as usize) {
            Some(folder) => folder.join(name),
            None => PathBuf::from(name),
        };
        self.sources.named().note(&path);
        let content = self.references.file(&path).map_err(|error| {
            (
                format!("cannot read the file `{}`: {error}", path.display()),
                "a path is relative to the folder of the document that names it".to_owned(),
            )
        });
        if !self.files.contains(&path) {
            self.files.push(path);
        }
        let mut content = content?;
        if content.ends_with('\n') {
            content.pop();
            if content.ends_with('\r') {
                content.pop();
            }
        }
        Ok(Found::Hidden(content))
    }
}

/// The runs of a scalar as they move when references in it are replaced.
struct Moved<'a> {
    text: &'a str,
    at: Span,
    written: std::sync::Arc<[Run]>,
    /// How much of the text was passed.
    passed: usize,
    runs: Vec<Run>,
}

impl<'a> Moved<'a> {
    fn new(node: &Node, text: &'a str) -> Self {
        Self { text, at: node.at, written: node.runs(), passed: 0, runs: Vec::new() }
    }

    /// Takes the next piece of the text, of which the value stands at `start` of the new text.
    fn piece(&mut self, piece: &Piece<'_>, start: usize) {
        let from = self.passed;
        let (length, given) = match piece {
            // The escape `$${`.
            Piece::Literal("${") => (3, false),
            Piece::Literal(literal) => (literal.len(), false),
            Piece::Variable { written, .. } | Piece::File { written, .. } | Piece::Malformed { written } => {
                (written.len(), true)
            }
        };
        self.passed += length;
        let number = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        let place = Run::place(&self.written, self.text, from);
        let (line, column) = place.unwrap_or((self.at.line, self.at.column));
        self.runs.push(Run { start: number(start), line, column, given });
        if given {
            return;
        }
        let within = self.written.iter().filter(|run| (from + 1..self.passed).contains(&(run.start as usize)));
        self.runs.extend(within.map(|run| Run { start: run.start - number(from) + number(start), ..*run }));
    }
}

enum Found<'d> {
    /// A value that only the reference knows.
    Hidden(String),
    /// A value that the document itself shows.
    Default(&'d str),
}
