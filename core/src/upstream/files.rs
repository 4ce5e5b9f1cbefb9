//! The local files that the settings of an upstream or a trigger name.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use crate::document::NamedFiles;

/// The local files that the settings of an upstream or a trigger name. What goes through here is watched: a change is a
/// reload, and one that replaces the upstream.
#[derive(Debug, Clone)]
pub struct Files {
    directory: Arc<Path>,
    own: Arc<NamedFiles>,
    all: Arc<NamedFiles>,
}

impl Files {
    /// Files of settings whose relative paths start at this folder.
    pub fn new(directory: &Path) -> Self {
        Self::within(directory, Arc::default())
    }

    /// Files that are noted among all of their configuration too.
    pub(crate) fn within(directory: &Path, all: Arc<NamedFiles>) -> Self {
        Self { directory: directory.into(), own: Arc::default(), all }
    }

    /// The document's folder, at which relative paths start.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// The path of a file that the settings name. To be called before the file is read.
    pub fn file(&self, path: impl AsRef<Path>) -> PathBuf {
        let path = self.directory.join(path);
        self.note(&path);
        path
    }

    /// Notes a file that another one names: an import, an include. To be called before the file is read.
    pub fn note(&self, path: impl AsRef<Path>) {
        self.own.note(path.as_ref());
        self.all.note(path.as_ref());
    }

    /// Whether a file is not what it was when it was named. Reads all of them.
    pub(crate) fn changed(&self) -> bool {
        !self.own.changed().is_empty()
    }

    /// Goes on in another configuration.
    pub(crate) fn carry_over(&self, all: &NamedFiles) {
        all.go_on_with(&self.own);
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn what_changes_before_a_file_is_carried_over_is_a_change() {
        let folder = tempfile::tempdir().unwrap();
        let files = Files::new(folder.path());
        fs::write(folder.path().join("a"), "1").unwrap();
        let path = files.file("a");
        fs::write(&path, "2").unwrap();
        let next = NamedFiles::default();
        files.carry_over(&next);
        assert_eq!(next.changed(), [path]);
    }
}
