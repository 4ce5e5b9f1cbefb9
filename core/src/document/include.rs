//! What `include` names, in the folder of a file or among texts that are no files.

use std::path::{Path, PathBuf};

use super::{
    DocPath, Flaw, Node, Span, Value,
    load::{Loader, Place},
    named, texts,
};

impl Loader<'_> {
    /// Reads what a text includes.
    pub(super) fn includes(&mut self, includes: &Node, including: &Place) {
        let place = DocPath::root().key("include");
        let Value::Sequence(items) = &includes.value else {
            let flaw = Flaw::error(includes.at, &place, "`include` is a list of file names or globs")
                .with_hint("write `include: [routes/*.yaml]`");
            return self.flaws.push(flaw);
        };
        for (index, item) in items.iter().enumerate() {
            let place = place.index(index);
            let Some(pattern) = item.as_str() else {
                self.flaw(item.at, &place, "expected a file name or a glob".to_owned());
                continue;
            };
            match including {
                Place::File(path) => self.include(pattern, item.at, &place, path),
                Place::Held(name) => self.include_held(pattern, item.at, &place, name),
            }
        }
    }

    fn include(&mut self, pattern: &str, at: Span, place: &DocPath, including: &Path) {
        let folder = including.parent().unwrap_or(Path::new(""));
        if !is_wild(pattern) {
            return self.file(&folder.join(pattern), Some((at, place)));
        }
        let whole = whole(folder, pattern);
        let options = glob::MatchOptions { require_literal_leading_dot: true, ..glob::MatchOptions::default() };
        let matches = match glob::glob_with(&whole, options) {
            Ok(matches) => matches,
            Err(error) => return self.flaw(at, place, not_a_glob(pattern, &error)),
        };
        self.note_glob(folder, pattern);
        // A glob that happens to match the file it stands in does not mean it.
        let own = including.canonicalize().ok();
        let mut any = false;
        for found in matches {
            match found {
                Ok(path) if path.is_dir() || (own.is_some() && path.canonicalize().ok() == own) => {}
                Ok(path) => {
                    any = true;
                    self.file(&path, Some((at, place)));
                }
                Err(error) => {
                    any = true;
                    let message = format!("cannot read `{}`: {}", error.path().display(), error.error());
                    self.flaw(at, place, message);
                }
            }
        }
        if !any {
            self.flaw(at, place, format!("`{pattern}` matches no file below `{}`", shown(folder)));
        }
    }

    fn include_held(&mut self, pattern: &str, at: Span, place: &DocPath, including: &str) {
        let Some(texts) = self.texts else { return };
        let Some(whole) = texts::resolve(including, pattern) else {
            let flaw =
                Flaw::error(at, place, format!("`{pattern}` leads out of what `{}` is in", texts.shown(including)))
                    .with_hint(
                        "a configuration that is in no file includes others of the same place, by their names there",
                    );
            return self.flaws.push(flaw);
        };
        if !is_wild(pattern) {
            return self.held(&whole, Some((at, place)));
        }
        let mut found = match glob::Pattern::new(&whole) {
            Ok(glob) => texts.matching(&glob),
            Err(error) => return self.flaw(at, place, not_a_glob(pattern, &error)),
        };
        found.retain(|name| name != including);
        if found.is_empty() {
            self.flaw(at, place, format!("`{pattern}` matches nothing: there is no `{}`", texts.shown(&whole)));
        }
        for name in found {
            self.held(&name, Some((at, place)));
        }
    }

    pub(super) fn note_glob(&self, folder: &Path, pattern: &str) {
        let whole = whole(folder, pattern);
        self.sources.named().note_glob(&whole, named::found(&whole));
    }
}

fn is_wild(pattern: &str) -> bool {
    pattern.contains(['*', '?', '['])
}

fn not_a_glob(pattern: &str, error: &glob::PatternError) -> String {
    format!("`{pattern}` is not a glob: {}", error.msg)
}

/// A glob below a folder, whose own name is not wild.
fn whole(folder: &Path, pattern: &str) -> String {
    let base = PathBuf::from(glob::Pattern::escape(&folder.to_string_lossy()));
    base.join(pattern).to_string_lossy().into_owned()
}

fn shown(folder: &Path) -> std::path::Display<'_> {
    if folder.as_os_str().is_empty() { Path::new(".").display() } else { folder.display() }
}
