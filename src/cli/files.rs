//! Files that commands write: never over what is there.

use std::{
    fs::{self, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
};

use super::answer::Failed;

/// Writes files that are not there yet, and the folders that they are in: all of them, or none.
pub(super) fn write_all(files: &[(PathBuf, String)]) -> Result<(), Failed> {
    if let Some((file, _)) = files.iter().find(|(file, _)| file.symlink_metadata().is_ok()) {
        return Err(refused(file, &io::ErrorKind::AlreadyExists.into()));
    }
    for (file, text) in files {
        write(file, text).map_err(|error| refused(file, &error))?;
    }
    Ok(())
}

fn write(file: &Path, text: &str) -> io::Result<()> {
    if let Some(folder) = file.parent() {
        fs::create_dir_all(folder)?;
    }
    OpenOptions::new().write(true).create_new(true).open(file)?.write_all(text.as_bytes())
}

fn refused(file: &Path, error: &io::Error) -> Failed {
    let file = file.display();
    Failed::Impossible(match error.kind() {
        io::ErrorKind::AlreadyExists => format!("{file} is there already, and is not overwritten; name another place"),
        _ => format!("{file} can't be written: {error}"),
    })
}
