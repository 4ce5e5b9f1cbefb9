//! A clone of Callgate's repository, whose crates a new one can have by path.

use std::{
    env, fs,
    path::{Component, Path, PathBuf},
};

/// A clone, as seen from a folder.
#[derive(Debug)]
pub(super) struct Repository {
    /// Its root.
    pub(super) root: PathBuf,
    /// How a manifest in the folder names its root.
    pub(super) path: String,
    /// Whether the folder is in it.
    pub(super) around: bool,
}

impl Repository {
    /// The clone around the folder, else the one around where the command is run; `None` where neither is.
    pub(super) fn seen_from(folder: &Path) -> Option<Self> {
        let folder = resolved(folder)?;
        let here = env::current_dir().ok()?;
        // The folder itself is not there yet.
        let around = folder.ancestors().skip(1).find(|above| is_root(above));
        let root = around.or_else(|| here.ancestors().find(|above| is_root(above)))?;
        let root = root.canonicalize().ok()?;
        let path = relative(&root, &folder)?;
        Some(Self { around: folder.starts_with(&root), path, root })
    }
}

fn is_root(folder: &Path) -> bool {
    let manifest = fs::read_to_string(folder.join("core/Cargo.toml"));
    manifest.is_ok_and(|text| text.contains("name = \"callgate-core\""))
}

/// The path without links and `..`, also where its end is not there yet.
fn resolved(path: &Path) -> Option<PathBuf> {
    let path = std::path::absolute(path).ok()?;
    let there = path.ancestors().find(|above| above.exists())?;
    let mut resolved = there.canonicalize().ok()?;
    for component in path.strip_prefix(there).ok()?.components() {
        match component {
            Component::ParentDir => _ = resolved.pop(),
            Component::Normal(name) => resolved.push(name),
            _ => {}
        }
    }
    Some(resolved)
}

/// How to come from one folder to another. Manifests have slashes everywhere.
fn relative(to: &Path, from: &Path) -> Option<String> {
    let shared = to.components().zip(from.components()).take_while(|(to, from)| to == from).count();
    let up = from.components().skip(shared).map(|_| Some(".."));
    let down = to.components().skip(shared).map(|component| component.as_os_str().to_str());
    Some(up.chain(down).collect::<Option<Vec<_>>>()?.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_named_from_within_from_beside_and_from_afar() {
        for (from, path) in [("/a/b/c", ".."), ("/a/b/c/d", "../.."), ("/a/mine", "../b"), ("/x", "../a/b")] {
            assert_eq!(relative(Path::new("/a/b"), Path::new(from)).as_deref(), Some(path), "{from}");
        }
    }

    #[test]
    fn what_is_not_there_yet_has_a_path_without_links_and_steps_back() {
        let folder = tempfile::tempdir().unwrap();
        let real = folder.path().canonicalize().unwrap();
        fs::create_dir(real.join("there")).unwrap();
        std::os::unix::fs::symlink(real.join("there"), real.join("link")).unwrap();
        assert_eq!(resolved(&real.join("link/a/../b")).unwrap(), real.join("there/b"));
    }
}
