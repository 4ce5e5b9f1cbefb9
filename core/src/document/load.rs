//! A document is read from a file, from all files of a folder, or from texts that are no files, with all that they include.

use std::{
    collections::HashSet,
    fmt, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{
    DocPath, Flaw, Node, References, Report, Resolved, Sources, Span, Texts, compose, mask::Masks, merge::Merged,
    substitute::Substitution,
};

/// A configuration as one tree, its files merged and its references filled in.
pub struct Document {
    root: Node,
    sources: Arc<Sources>,
    /// The folder of each source.
    folders: Vec<PathBuf>,
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
        loader.text(&Place::File(PathBuf::from(name)), text.to_owned());

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

    /// Reads as [`survey`](Self::survey) does, of texts that are no files; `first` is the one that includes the others.
    ///
    /// # Errors
    /// All that is wrong, when a text or an include is.
    pub fn survey_texts(texts: &Texts, first: &str, references: &dyn References) -> Result<(Self, Vec<Flaw>), Report> {
        let mut loader = Loader { texts: Some(texts), ..Loader::new(references) };
        loader.held(first, None);
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
        self.folders.get(at.source as usize).map_or(Path::new(""), PathBuf::as_path)
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

/// Where a text is from.
pub(super) enum Place {
    File(PathBuf),
    /// The name of one of [`Texts`].
    Held(String),
}

/// What reads a document.
pub(super) struct Loader<'a> {
    references: &'a dyn References,
    /// What is read in the place of files.
    pub(super) texts: Option<&'a Texts>,
    pub(super) sources: Sources,
    folders: Vec<PathBuf>,
    files: Vec<PathBuf>,
    /// Files that are merged already; a file is merged once however often it is included.
    seen: HashSet<PathBuf>,
    /// The files whose includes are being read.
    stack: Vec<PathBuf>,
    merged: Merged,
    /// What references in includes gave.
    resolved: Vec<Resolved>,
    pub(super) flaws: Vec<Flaw>,
}

impl<'a> Loader<'a> {
    fn new(references: &'a dyn References) -> Self {
        Self {
            references,
            texts: None,
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
        let document =
            Document { root, sources: Arc::new(self.sources), folders: self.folders, files: self.files, masks };
        if broken {
            self.flaws.extend(missing);
            return Err(document.report(self.flaws));
        }
        Ok((document, missing))
    }

    /// Fills references in and gives the flaws of those that are missing.
    pub(super) fn substitute(&mut self, node: &mut Node, path: &DocPath) -> Vec<Flaw> {
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
        // As shells have it: what begins with a dot is an editor's, or a volume's own.
        let hidden = |path: &PathBuf| path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
        files.retain(|path| yaml(path) && !hidden(path) && path.is_file());
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
    pub(super) fn file(&mut self, path: &Path, named: Option<(Span, &DocPath)>) {
        let (at, place) = named.unwrap_or((Span::default(), const { &DocPath::root() }));
        let identity = path.canonicalize().unwrap_or_else(|_| path.to_owned());
        if !self.is_new(&identity, &path.display(), (at, place)) {
            return;
        }
        self.files.push(path.to_owned());
        self.sources.named().note(path);
        match std::fs::read_to_string(path) {
            Ok(text) => {
                self.stack.push(identity);
                self.text(&Place::File(path.to_owned()), text);
                self.stack.pop();
            }
            Err(error) => self.flaw(at, place, format!("cannot read `{}`: {error}", path.display())),
        }
    }

    /// Reads one of the texts that are no files; `named` is as of [`file`](Self::file).
    pub(super) fn held(&mut self, name: &str, named: Option<(Span, &DocPath)>) {
        let (at, place) = named.unwrap_or((Span::default(), const { &DocPath::root() }));
        let Some(texts) = self.texts else { return };
        let identity = PathBuf::from(name);
        if !self.is_new(&identity, &texts.shown(name), (at, place)) {
            return;
        }
        match texts.text(name) {
            Ok(text) => {
                self.stack.push(identity);
                self.text(&Place::Held(name.to_owned()), text.to_owned());
                self.stack.pop();
            }
            Err((message, hint)) => {
                let flaw = Flaw::error(at, place, message);
                self.flaws.push(match hint {
                    Some(hint) => flaw.with_hint(hint),
                    None => flaw,
                });
            }
        }
    }

    /// Whether a text is to be merged now. One that includes itself is a flaw.
    fn is_new(&mut self, identity: &Path, shown: &dyn fmt::Display, (at, place): (Span, &DocPath)) -> bool {
        if self.stack.iter().any(|including| including == identity) {
            self.flaw(at, place, format!("`{shown}` includes itself, directly or by way of others"));
            return false;
        }
        self.seen.insert(identity.to_owned())
    }

    fn text(&mut self, place: &Place, text: String) {
        let (name, folder) = match (place, self.texts) {
            (Place::File(path), _) => (path.display().to_string(), path.parent().unwrap_or(Path::new(""))),
            (Place::Held(name), Some(texts)) => (texts.shown(name), Path::new("")),
            (Place::Held(name), None) => (name.clone(), Path::new("")),
        };
        let source = self.sources.add(name, text);
        self.folders.push(folder.to_owned());
        let text = self.sources.get(source).map_or("", |source| source.text.as_str());
        let Some(root) = compose(text, source, &mut self.flaws) else { return };
        let includes = root.get("include").cloned();
        self.merged.add(root, &mut self.flaws);
        if let Some(mut includes) = includes {
            let missing = self.substitute(&mut includes, &DocPath::root().key("include"));
            self.flaws.extend(missing);
            self.includes(&includes, place);
        }
    }

    pub(super) fn flaw(&mut self, at: Span, path: &DocPath, message: String) {
        self.flaws.push(Flaw::error(at, path, message));
    }
}
