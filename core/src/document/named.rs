//! The files that a configuration names, and what was in each when it was named: what a reload looks at.

use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::OsString,
    fs,
    hash::{DefaultHasher, Hash, Hasher},
    path::{Component, Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
};

/// Larger files are known by their size and time: to read them again and again would take long.
const READ_WHOLE: u64 = 16 << 20;

/// How many links a path may lead through.
const MOST_LINKS: usize = 40;

/// The local files that a configuration names: its parts, references, certificates, descriptions of services.
///
/// A file is noted before it is read. What is read later than it was noted may differ from what was noted, which the
/// next look takes for a change; nothing that changes meanwhile goes unnoticed.
#[derive(Debug, Default)]
pub struct NamedFiles(Mutex<Noted>);

#[derive(Debug, Default)]
struct Noted {
    files: BTreeMap<PathBuf, Print>,
    /// The files that a glob found.
    globs: BTreeMap<String, Vec<PathBuf>>,
}

/// What was in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Print {
    /// Nothing: it is not there, or can't be read.
    Absent,
    Folder,
    Content(u64),
}

impl NamedFiles {
    /// Notes a file that is about to be read.
    pub fn note(&self, path: &Path) {
        let print = print(path);
        self.lock().files.entry(path.to_owned()).or_insert(print);
    }

    /// Notes what a glob found.
    pub(crate) fn note_glob(&self, pattern: &str, found: Vec<PathBuf>) {
        self.lock().globs.insert(pattern.to_owned(), found);
    }

    /// Notes what another has noted, as it was then: it was read, and is not read again.
    pub(crate) fn go_on_with(&self, others: &Self) {
        let noted = others.lock().files.clone();
        let mut own = self.lock();
        for (path, print) in noted {
            own.files.entry(path).or_insert(print);
        }
    }

    /// Notes what another has noted, as it is now.
    pub fn note_all(&self, others: &Self) {
        let paths: Vec<_> = others.lock().files.keys().cloned().collect();
        paths.iter().for_each(|path| self.note(path));
    }

    /// The files, by path.
    #[must_use]
    pub fn paths(&self) -> Vec<PathBuf> {
        self.lock().files.keys().cloned().collect()
    }

    /// What differs now from when it was noted: files, and globs that find others. Reads all files.
    #[must_use]
    pub fn changed(&self) -> Vec<PathBuf> {
        let noted = self.lock();
        let files = noted.files.clone();
        let globs = noted.globs.clone();
        drop(noted);
        let files = files.into_iter().filter(|(path, former)| print(path) != *former).map(|(path, _)| path);
        let globs = globs.into_iter().filter(|(pattern, former)| found(pattern) != *former);
        files.chain(globs.map(|(pattern, _)| pattern.into())).collect()
    }

    /// The folders in which something happens when one of the files changes. Links are followed step by step, so that
    /// one that is turned elsewhere (as Kubernetes does with mounted volumes) shows too.
    #[must_use]
    pub fn folders(&self) -> BTreeSet<PathBuf> {
        let noted = self.lock();
        let mut folders = BTreeSet::new();
        for path in noted.files.keys() {
            folders_of(path, &mut folders);
        }
        for pattern in noted.globs.keys() {
            folders.insert(base(pattern));
        }
        for path in noted.globs.values().flatten() {
            folders_of(path, &mut folders);
        }
        folders
    }

    /// The names under which the files themselves, and not what leads to them, are in their folders: writing to anything else in
    /// there changes none of them.
    #[must_use]
    pub fn names(&self) -> BTreeSet<OsString> {
        let noted = self.lock();
        let paths: Vec<_> = noted.files.keys().chain(noted.globs.values().flatten()).cloned().collect();
        drop(noted);
        let real = |path: PathBuf| [path.canonicalize().ok(), Some(path)].into_iter().flatten();
        let names = paths.into_iter().flat_map(real);
        names.filter_map(|path| path.file_name().map(OsString::from)).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Noted> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The files that a glob finds, in the order of their names.
pub(super) fn found(pattern: &str) -> Vec<PathBuf> {
    let mut found: Vec<_> = glob::glob(pattern).into_iter().flatten().filter_map(Result::ok).collect();
    found.retain(|path| !path.is_dir());
    found.sort();
    found
}

fn print(path: &Path) -> Print {
    let Ok(metadata) = fs::metadata(path) else { return Print::Absent };
    if metadata.is_dir() {
        return Print::Folder;
    }
    let mut hasher = DefaultHasher::new();
    if metadata.len() > READ_WHOLE || !metadata.is_file() {
        (metadata.len(), metadata.modified().ok()).hash(&mut hasher);
    } else if let Ok(content) = fs::read(path) {
        content.hash(&mut hasher);
    } else {
        return Print::Absent;
    }
    Print::Content(hasher.finish())
}

/// The folder of a path, and those of all links on the way to it.
fn folders_of(path: &Path, folders: &mut BTreeSet<PathBuf>) {
    let mut path = path.to_owned();
    for _ in 0..MOST_LINKS {
        folders.insert(folder_of(&path));
        let Some((link, rest)) = first_link(&path) else { return };
        let folder = folder_of(&link);
        let Ok(target) = fs::read_link(&link) else { return };
        folders.insert(folder.clone());
        path = folder.join(target);
        path.extend(rest);
    }
}

/// The first part of a path that is a link, and what comes after it.
fn first_link(path: &Path) -> Option<(PathBuf, Vec<OsString>)> {
    let mut prefix = PathBuf::new();
    let mut components = path.components();
    while let Some(component) = components.next() {
        prefix.push(component);
        let may_be = matches!(component, Component::Normal(_));
        if may_be && fs::symlink_metadata(&prefix).is_ok_and(|metadata| metadata.is_symlink()) {
            return Some((prefix, components.map(|component| component.as_os_str().to_owned()).collect()));
        }
    }
    None
}

fn folder_of(path: &Path) -> PathBuf {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    }
}

/// The folder that a glob looks in, without what is wild.
fn base(pattern: &str) -> PathBuf {
    let wild = |component: &Component<'_>| component.as_os_str().to_string_lossy().contains(['*', '?', '[']);
    let base: PathBuf = Path::new(pattern).components().take_while(|component| !wild(component)).collect();
    if base.as_os_str().is_empty() { PathBuf::from(".") } else { base }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn a_file_that_changes_comes_or_goes_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let named = NamedFiles::default();
        fs::write(path("kept"), "1").unwrap();
        fs::write(path("goes"), "1").unwrap();
        fs::write(path("changes"), "1").unwrap();
        for name in ["kept", "goes", "changes", "comes"] {
            named.note(&path(name));
        }
        assert!(named.changed().is_empty());
        fs::write(path("kept"), "1").unwrap();
        fs::remove_file(path("goes")).unwrap();
        fs::write(path("changes"), "2").unwrap();
        fs::write(path("comes"), "").unwrap();
        assert_eq!(named.changed(), [path("changes"), path("comes"), path("goes")]);
    }

    #[test]
    fn a_file_that_a_glob_finds_anew_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let pattern = folder.path().join("*.yaml").display().to_string();
        fs::write(folder.path().join("a.yaml"), "").unwrap();
        let named = NamedFiles::default();
        named.note_glob(&pattern, found(&pattern));
        fs::write(folder.path().join("b.txt"), "").unwrap();
        assert!(named.changed().is_empty());
        fs::write(folder.path().join("b.yaml"), "").unwrap();
        assert_eq!(named.changed(), [PathBuf::from(&pattern)]);
        assert_eq!(named.folders(), BTreeSet::from([folder.path().to_owned()]));
    }

    #[test]
    fn a_link_that_is_turned_shows_as_a_change_in_a_folder_that_is_looked_at() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        for version in ["1", "2"] {
            fs::create_dir(root.join(version)).unwrap();
            fs::write(root.join(version).join("callgate.yaml"), version).unwrap();
        }
        // The way in which Kubernetes mounts a ConfigMap.
        symlink("1", root.join("..data")).unwrap();
        symlink("..data/callgate.yaml", root.join("callgate.yaml")).unwrap();
        let named = NamedFiles::default();
        named.note(&root.join("callgate.yaml"));
        let folders = named.folders();
        assert!(folders.contains(&root) && folders.contains(&root.join("1")), "{folders:?}");
        symlink("2", root.join("..new")).unwrap();
        fs::rename(root.join("..new"), root.join("..data")).unwrap();
        assert_eq!(named.changed(), [root.join("callgate.yaml")]);
    }

    #[test]
    fn what_is_noted_first_counts() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        let named = NamedFiles::default();
        fs::write(&path, "1").unwrap();
        named.note(&path);
        fs::write(&path, "2").unwrap();
        named.note(&path);
        assert_eq!(named.changed(), [path]);
    }
}
