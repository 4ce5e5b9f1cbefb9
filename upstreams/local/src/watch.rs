//! Notices that a function's files have changed.

use std::{
    fs,
    hash::{DefaultHasher, Hash, Hasher},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    time::Duration,
};

use callgate_core::Context;
use tokio::{
    sync::mpsc,
    time::{MissedTickBehavior, interval},
};

const EVERY: Duration = Duration::from_millis(500);
/// A folder of more files is watched in part.
const FILES: usize = 20_000;
/// Folders that runtimes and tools write.
const IGNORED: [&str; 3] = ["__pycache__", "node_modules", "target"];
/// Files that functions themselves write; they would restart for ever.
const WRITTEN: [&str; 8] = ["db", "lock", "log", "out", "pid", "sqlite", "sqlite3", "tmp"];

/// Tells of every change below the directory.
pub(crate) async fn run(directory: PathBuf, context: Context, changed: mpsc::Sender<()>) {
    let mut last = None;
    let mut every = interval(EVERY);
    every.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        every.tick().await;
        let directory = directory.clone();
        let Ok(now) = context.blocking(move || fingerprint(&directory)).await else { return };
        if last.is_some_and(|last| last != now) && changed.try_send(()).is_err() && changed.is_closed() {
            return;
        }
        last = Some(now);
    }
}

/// Differs when a file was added, removed or written.
fn fingerprint(directory: &Path) -> u64 {
    let mut sum = 0_u64;
    let mut files = 0;
    let mut folders = vec![directory.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let name = entry.file_name();
            let name = name.to_string_lossy();
            if name.starts_with('.') || IGNORED.contains(&&*name) {
                continue;
            }
            files += 1;
            if files > FILES {
                return sum;
            }
            let Ok(metadata) = entry.metadata() else { continue };
            if metadata.is_dir() {
                folders.push(entry.path());
            } else if is_source(&entry.path(), &metadata) {
                let mut hasher = DefaultHasher::new();
                (entry.path(), metadata.modified().ok(), metadata.len()).hash(&mut hasher);
                // A sum, since the order of a folder's entries is not defined.
                sum = sum.wrapping_add(hasher.finish());
            }
        }
    }
    sum
}

/// A file without an extension is a source when it can be run, as a bootstrap is.
fn is_source(file: &Path, metadata: &fs::Metadata) -> bool {
    match file.extension() {
        Some(extension) => !WRITTEN.iter().any(|written| extension.eq_ignore_ascii_case(written)),
        None => metadata.permissions().mode() & 0o111 != 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_of_sources_show() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let file = folder.path().join(name);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, text).unwrap();
        };
        let empty = fingerprint(folder.path());
        write("a.py", "1");
        let one = fingerprint(folder.path());
        assert_ne!(empty, one);
        write("__pycache__/a.pyc", "x");
        for written in [".cache", "log", "state.db", "out/x.log"] {
            write(written, "x");
        }
        assert_eq!(one, fingerprint(folder.path()));
        write("deep/er/b.py", "1");
        let two = fingerprint(folder.path());
        assert_ne!(one, two);
        write("bootstrap", "");
        fs::set_permissions(folder.path().join("bootstrap"), fs::Permissions::from_mode(0o755)).unwrap();
        assert_ne!(two, fingerprint(folder.path()));
    }
}
