//! A document is read from a file, or from all files of a folder, with all that they include.

use std::{
    collections::HashSet,
    fmt, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{
    DocPath, Flaw, Node, References, Report, Resolved, Sources, Span, Value, compose, mask::Masks, merge::Merged,
    named, substitute::Substitution,
};

/// A configuration as one tree, its files merged and its references filled in.
pub struct Document {
    root: Node,
    sources: Arc<Sources>,
    files: Vec<PathBuf>,
    pub(crate) masks: Masks,
}

impl Document {
    /// Reads a file, or all `*.yaml` and `*.yml` of a folder in the order of their names.
    ///
    /// # Errors
    /// All that is wrong with the text, the includes and the references.
    pub fn load(path: &Path, references: &dyn References) -> Result<Self, Report> {
        Self::strict(Self::survey(path, references)?)
    }

    /// Reads a text as if it were the file `name`.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    pub fn parse(name: &str, text: &str, references: &dyn References) -> Result<Self, Report> {
        let mut loader = Loader::new(references);
        let path = PathBuf::from(name);
        loader.text(&path, text.to_owned());

        Self::strict(loader.finish()?)
    }

    /// Reads as [`load`](Self::load) does, but goes on where only references are missing.
    ///
    /// [`from_node`](super::from_node) passes over the scalars concerned, so that the remaining flaws of the
    /// document can be reported together with these.
    ///
    /// # Errors
    /// All that is wrong, when the text or an include is.
    pub fn survey(path: &Path, references: &dyn References) -> Result<(Self, Vec<Flaw>), Report> {
        let mut loader = Loader::new(references);
        if path.is_dir() {
            loader.folder(path);
        } else {
            loader.file(path, None);
        }
        loader.finish()
    }

    /// The whole document.
    #[must_use]
    pub const fn root(&self) -> &Node {
        &self.root
    }

    /// Every file that was read, those of `${file:}` too.
    #[must_use]
    pub fn files(&self) -> &[PathBuf] {
        &self.files
    }

    /// The folder that relative paths of a file are resolved against.
    #[must_use]
    pub fn folder(&self, at: Span) -> &Path {
        let name = self.sources.name(at.source).unwrap_or("");
        Path::new(name).parent().unwrap_or(Path::new(""))
    }

    /// The texts of the document.
    #[must_use]
    pub const fn sources(&self) -> &Arc<Sources> {
        &self.sources
    }

    /// Joins flaws to a report on this document, in which no value of a reference is shown.
    #[must_use]
    pub fn report(&self, mut flaws: Vec<Flaw>) -> Report {
        for flaw in &mut flaws {
            self.masks.flaw(flaw);
        }
        Report::new(flaws, Arc::clone(&self.sources))
    }

    fn strict((document, flaws): (Self, Vec<Flaw>)) -> Result<Self, Report> {
        if flaws.is_empty() { Ok(document) } else { Err(document.report(flaws)) }
    }
}

/// Shows references in place of their values.
impl fmt::Debug for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Document").field("root", &self.root).field("files", &self.files).finish_non_exhaustive()
    }
}

struct Loader<'a> {
    references: &'a dyn References,
    sources: Sources,
    folders: Vec<PathBuf>,
    files: Vec<PathBuf>,
    /// Files that are merged already; a file is merged once however often it is included.
    seen: HashSet<PathBuf>,
    /// The files whose includes are being read.
    stack: Vec<PathBuf>,
    merged: Merged,
    /// What references in includes gave.
    resolved: Vec<Resolved>,
    flaws: Vec<Flaw>,
}

impl<'a> Loader<'a> {
    fn new(references: &'a dyn References) -> Self {
        Self {
            references,
            resolved: Vec::new(),
            sources: Sources::default(),
            folders: Vec::new(),
            files: Vec::new(),
            seen: HashSet::new(),
            stack: Vec::new(),
            merged: Merged::default(),
            flaws: Vec::new(),
        }
    }

    fn finish(mut self) -> Result<(Document, Vec<Flaw>), Report> {
        let mut root = std::mem::take(&mut self.merged).finish();
        let missing = self.substitute(&mut root, &DocPath::root());
        let broken = !self.flaws.is_empty();
        let masks = Masks::new(self.resolved, &root);
        let document = Document { root, sources: Arc::new(self.sources), files: self.files, masks };
        if broken {
            self.flaws.extend(missing);
            return Err(document.report(self.flaws));
        }
        Ok((document, missing))
    }

    /// Fills references in and gives the flaws of those that are missing.
    fn substitute(&mut self, node: &mut Node, path: &DocPath) -> Vec<Flaw> {
        let mut substitution = Substitution {
            references: self.references,
            sources: &self.sources,
            folders: &self.folders,
            flaws: Vec::new(),
            resolved: Vec::new(),
            files: Vec::new(),
        };
        substitution.apply(node, path);
        let Substitution { flaws, resolved, files, .. } = substitution;
        self.resolved.extend(resolved);
        self.files.extend(files);
        flaws
    }

    fn folder(&mut self, folder: &Path) {
        let listed = std::fs::read_dir(folder)
            .and_then(|entries| entries.map(|entry| entry.map(|entry| entry.path())).collect::<io::Result<Vec<_>>>());
        let mut files = match listed {
            Ok(files) => files,
            Err(error) => {
                let message = format!("cannot read the folder `{}`: {error}", folder.display());
                return self.flaw(Span::default(), &DocPath::root(), message);
            }
        };
        let yaml = |path: &PathBuf| path.extension().is_some_and(|suffix| suffix == "yaml" || suffix == "yml");
        files.retain(|path| yaml(path) && path.is_file());
        files.sort();
        for suffix in ["yaml", "yml"] {
            self.note_glob(folder, &format!("*.{suffix}"));
        }
        if files.is_empty() {
            let message = format!("the folder `{}` holds no *.yaml or *.yml", folder.display());
            self.flaw(Span::default(), &DocPath::root(), message);
        }
        for file in files {
            self.file(&file, None);
        }
    }

    /// Reads a file; `named` is the place of the include that names it.
    fn file(&mut self, path: &Path, named: Option<(Span, &DocPath)>) {
        let (at, place) = named.unwrap_or((Span::default(), const { &DocPath::root() }));
        let identity = path.canonicalize().unwrap_or_else(|_| path.to_owned());
        if self.stack.contains(&identity) {
            let message = format!("`{}` includes itself, directly or by way of others", path.display());
            return self.flaw(at, place, message);
        }
        if !self.seen.insert(identity.clone()) {
            return;
        }
        self.files.push(path.to_owned());
        self.sources.named().note(path);
        match std::fs::read_to_string(path) {
            Ok(text) => {
                self.stack.push(identity);
                self.text(path, text);
                self.stack.pop();
            }
            Err(error) => self.flaw(at, place, format!("cannot read `{}`: {error}", path.display())),
        }
    }

    fn text(&mut self, path: &Path, text: String) {
        let folder = path.parent().unwrap_or(Path::new("")).to_owned();
        let source = self.sources.add(path.display().to_string(), text);
        self.folders.push(folder.clone());
        let text = self.sources.get(source).map_or("", |source| source.text.as_str());
        let Some(root) = compose(text, source, &mut self.flaws) else { return };
        let includes = root.get("include").cloned();
        self.merged.add(root, &mut self.flaws);
        if let Some(mut includes) = includes {
            let missing = self.substitute(&mut includes, &DocPath::root().key("include"));
            self.flaws.extend(missing);
            self.includes(&includes, &folder, path);
        }
    }

    fn includes(&mut self, includes: &Node, folder: &Path, including: &Path) {
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
            self.include(pattern, item.at, &place, folder, including);
        }
    }

    fn include(&mut self, pattern: &str, at: Span, place: &DocPath, folder: &Path, including: &Path) {
        let wild = pattern.contains(['*', '?', '[']);
        if !wild {
            return self.file(&folder.join(pattern), Some((at, place)));
        }
        let whole = whole(folder, pattern);
        let matches = match glob::glob(&whole) {
            Ok(matches) => matches,
            Err(error) => {
                return self.flaw(at, place, format!("`{pattern}` is not a glob: {}", error.msg));
            }
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

    fn note_glob(&self, folder: &Path, pattern: &str) {
        let whole = whole(folder, pattern);
        self.sources.named().note_glob(&whole, named::found(&whole));
    }

    fn flaw(&mut self, at: Span, path: &DocPath, message: String) {
        self.flaws.push(Flaw::error(at, path, message));
    }
}

/// A glob below a folder, whose own name is not wild.
fn whole(folder: &Path, pattern: &str) -> String {
    let base = PathBuf::from(glob::Pattern::escape(&folder.to_string_lossy()));
    base.join(pattern).to_string_lossy().into_owned()
}

fn shown(folder: &Path) -> std::path::Display<'_> {
    if folder.as_os_str().is_empty() { Path::new(".").display() } else { folder.display() }
}
