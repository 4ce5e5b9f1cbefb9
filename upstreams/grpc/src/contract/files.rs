//! Descriptions in files: descriptor sets, and sources of protobuf that are compiled here.

use std::path::{Path, PathBuf};

use callgate_core::{Files, Invalid};
use prost_reflect::DescriptorPool;
use protox::{
    Compiler, Error,
    file::{ChainFileResolver, File, FileResolver, IncludeFileResolver},
};

use super::{Contract, bundled::behind};

/// The largest descriptor set, and the largest source, in bytes.
const LARGEST: u64 = 64 << 20;

/// Reads files, relative ones below a folder. A name that ends with `.proto` is a source, any other a descriptor set.
pub(crate) fn read(files: &[PathBuf], include: &[PathBuf], below: &Files) -> Result<Contract, Vec<Invalid>> {
    let mut pool = DescriptorPool::new();
    let mut invalid = Vec::new();
    for (index, file) in files.iter().enumerate() {
        let path = below.file(file);
        let added = if is_source(file) { compile(&mut pool, &path, include, below) } else { add(&mut pool, &path) };
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

fn add(pool: &mut DescriptorPool, path: &Path) -> Result<(), String> {
    let bytes = callgate_core::contents(path, LARGEST).map_err(|error| error.to_string())?;
    pool.decode_file_descriptor_set(bytes.as_slice())
        .map_err(|error| format!("it is no set of descriptors with all that they import: {error}"))
}

/// A source that is not looked into.
#[derive(Debug, thiserror::Error)]
#[error("`{}` is no regular file of at most {} bytes", .0.display(), LARGEST)]
struct NotRead(PathBuf);

/// Finds sources in a folder, and notes them before they are read; those that are not there too, for they may come.
struct Noting {
    folder: PathBuf,
    files: Files,
}

impl FileResolver for Noting {
    fn resolve_path(&self, path: &Path) -> Option<String> {
        IncludeFileResolver::new(self.folder.clone()).resolve_path(path)
    }

    fn open_file(&self, name: &str) -> Result<File, Error> {
        let path = self.folder.join(name);
        self.files.note(&path);
        // Opening a pipe may wait for ever, and reading a device may have no end.
        if let Ok(metadata) = std::fs::metadata(&path)
            && !(metadata.is_file() && metadata.len() <= LARGEST)
        {
            return Err(Error::new(NotRead(path)));
        }
        File::open(name, &path)
    }
}

/// Compiles a source. Imports are looked for in the folders of `include`, then in the source's own folder and the
/// document's, then among the files that come along.
fn compile(pool: &mut DescriptorPool, path: &Path, include: &[PathBuf], below: &Files) -> Result<(), String> {
    let directory = below.directory();
    let mut folders: Vec<PathBuf> = include.iter().map(|folder| directory.join(folder)).collect();
    // The file's name is relative to the folder that holds it, if none of `include` does.
    folders.extend(path.parent().map(Path::to_path_buf));
    folders.push(directory.to_path_buf());
    let mut resolver = ChainFileResolver::new();
    for folder in folders {
        resolver.add(Noting { folder, files: below.clone() });
    }
    let mut compiler = Compiler::with_file_resolver(behind(resolver));
    compiler.include_imports(true).include_source_info(true);
    compiler.open_file(path).map_err(|error| callgate_core::chain(&error))?;
    // By way of bytes, as descriptors that were parsed have lost their extensions.
    let set = compiler.encode_file_descriptor_set();
    pool.decode_file_descriptor_set(set.as_slice()).map_err(|error| error.to_string())
}
