//! Descriptions in files: descriptor sets, and sources of protobuf that are compiled here.

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use callgate_core::{Files, Invalid};
use prost_reflect::DescriptorPool;
use protox::{
    Compiler, Error,
    file::{ChainFileResolver, File, FileResolver, IncludeFileResolver},
};

use super::{Contract, bundled::behind};

/// The largest descriptor set, and the largest source, in bytes.
const LARGEST: u64 = 64 << 20;
/// The most bytes of all files together, each as often as it is read.
const ALL: u64 = 128 << 20;

/// Reads files, relative ones below a folder. A name that ends with `.proto` is a source, any other a descriptor set.
pub(crate) fn read(files: &[PathBuf], include: &[PathBuf], below: &Files) -> Result<Contract, Vec<Invalid>> {
    let (mut pool, room) = (DescriptorPool::new(), Room::new(ALL));
    let mut invalid = Vec::new();
    for (index, file) in files.iter().enumerate() {
        let path = below.file(file);
        let added = if is_source(file) {
            compile(&mut pool, &path, include, below, &room)
        } else {
            add(&mut pool, &path, &room)
        };
        if let Err(reason) = added {
            let field = if files.len() > 1 { format!("descriptors[{index}]") } else { "descriptors".to_owned() };
            invalid.push(Invalid::new(format!("`{}` can't be used: {reason}", file.display())).at(field));
        }
    }
    if !invalid.is_empty() {
        return Err(invalid);
    }
    let contract = Contract::new(&pool);
    if contract.methods().next().is_none() {
        let message = "the descriptors have no services";
        return Err(vec![Invalid::new(message).at("descriptors").hint("name the files that declare `service`")]);
    }
    Ok(contract)
}

pub(crate) fn is_source(file: &Path) -> bool {
    file.extension().is_some_and(|extension| extension == "proto")
}

/// What is left of the bytes that all files may have.
#[derive(Clone)]
struct Room(Arc<AtomicU64>);

impl Room {
    fn new(bytes: u64) -> Self {
        Self(Arc::new(AtomicU64::new(bytes)))
    }

    /// Takes a file's bytes; whether there was room for them.
    fn take(&self, bytes: u64) -> bool {
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(bytes)).is_ok()
    }
}

fn add(pool: &mut DescriptorPool, path: &Path, room: &Room) -> Result<(), String> {
    let bytes = callgate_core::contents(path, LARGEST).map_err(|error| error.to_string())?;
    if !room.take(bytes.len() as u64) {
        return Err(NotRead::TooMuch.to_string());
    }
    pool.decode_file_descriptor_set(bytes.as_slice())
        .map_err(|error| format!("it is no set of descriptors with all that they import: {error}"))
}

/// A file that is not looked into.
#[derive(Debug, thiserror::Error)]
enum NotRead {
    #[error("`{}` is no regular file of at most {} bytes", .0.display(), LARGEST)]
    Unfit(PathBuf),
    #[error("all descriptors together have over {} bytes", ALL)]
    TooMuch,
}

/// Finds sources in a folder, and notes them before they are read; those that are not there too, for they may come.
struct Noting {
    folder: PathBuf,
    files: Files,
    room: Room,
}

impl FileResolver for Noting {
    fn resolve_path(&self, path: &Path) -> Option<String> {
        IncludeFileResolver::new(self.folder.clone()).resolve_path(path)
    }

    fn open_file(&self, name: &str) -> Result<File, Error> {
        let path = self.folder.join(name);
        self.files.note(&path);
        // Opening a pipe may wait for ever, and reading a device may have no end.
        if let Ok(metadata) = std::fs::metadata(&path) {
            if !(metadata.is_file() && metadata.len() <= LARGEST) {
                return Err(Error::new(NotRead::Unfit(path)));
            }
            if !self.room.take(metadata.len()) {
                return Err(Error::new(NotRead::TooMuch));
            }
        }
        File::open(name, &path)
    }
}

/// Compiles a source. Imports are looked for in the folders of `include`, then in the source's own folder and the
/// document's, then among the files that come along.
fn compile(
    pool: &mut DescriptorPool,
    path: &Path,
    include: &[PathBuf],
    below: &Files,
    room: &Room,
) -> Result<(), String> {
    let directory = below.directory();
    let mut folders: Vec<PathBuf> = include.iter().map(|folder| directory.join(folder)).collect();
    // The file's name is relative to the folder that holds it, if none of `include` does.
    folders.extend(path.parent().map(Path::to_path_buf));
    folders.push(directory.to_path_buf());
    let mut resolver = ChainFileResolver::new();
    for folder in folders {
        resolver.add(Noting { folder, files: below.clone(), room: room.clone() });
    }
    let mut compiler = Compiler::with_file_resolver(behind(resolver));
    compiler.include_imports(true).include_source_info(true);
    compiler.open_file(path).map_err(|error| callgate_core::chain(&error))?;
    // By way of bytes, as descriptors that were parsed have lost their extensions.
    let set = compiler.encode_file_descriptor_set();
    pool.decode_file_descriptor_set(set.as_slice()).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// Compiles two sources of which the second imports the first, and adds them as a set of descriptors twice.
    fn added(bytes: u64) -> [Result<(), String>; 4] {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        fs::write(path("a.proto"), "syntax = \"proto3\"; package a; message A {}").unwrap();
        fs::write(path("b.proto"), "syntax = \"proto3\"; import \"a.proto\"; message B { a.A a = 1; }").unwrap();
        let below = Files::new(folder.path());
        let mut whole = DescriptorPool::new();
        compile(&mut whole, &path("b.proto"), &[], &below, &Room::new(ALL)).unwrap();
        fs::write(path("set.pb"), whole.encode_to_vec()).unwrap();
        let (mut pool, room) = (DescriptorPool::new(), Room::new(bytes));
        let [a, b] = ["a.proto", "b.proto"].map(|name| compile(&mut pool, &path(name), &[], &below, &room));
        let mut set = || add(&mut pool, &path("set.pb"), &room);
        [a, b, set(), set()]
    }

    #[test]
    fn all_files_together_are_bounded() {
        let refused = |added: [Result<(), String>; 4]| {
            added.map(|one| {
                one.is_err_and(|reason| reason.contains("all descriptors together have over 134217728 bytes"))
            })
        };
        assert_eq!(refused(added(ALL)), [false; 4]);
        assert_eq!(refused(added(40)), [true; 4]);
        // The first source has 42 bytes, and is read again for the second one, which has 61.
        assert_eq!(refused(added(42 + 61)), [false, true, true, true]);
        assert_eq!(refused(added(42 + 61 + 42)), [false, false, true, true]);
    }
}
