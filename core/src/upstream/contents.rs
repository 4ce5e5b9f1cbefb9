//! What a file holds that may not be what its name says.

use std::{
    fs::{self, File},
    io::{self, Read},
    path::Path,
};

/// Reads a file of at most this many bytes. Not to be called on the runtime.
///
/// # Errors
/// It can't be read, is longer, or is no regular file: reading a device may have no end, opening a pipe may wait for ever.
pub fn contents(path: impl AsRef<Path>, most: u64) -> io::Result<Vec<u8>> {
    let path = path.as_ref();
    // Before it is opened, as that may be what waits.
    if !fs::metadata(path)?.is_file() {
        return Err(io::Error::other("it is no regular file"));
    }
    let mut bytes = Vec::new();
    File::open(path)?.take(most.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("it has over {most} bytes")));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_files_that_end_soon_enough_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a");
        fs::write(&file, "abc").unwrap();
        assert_eq!(contents(&file, 3).unwrap(), b"abc");
        assert_eq!(contents(&file, 2).unwrap_err().to_string(), "it has over 2 bytes");
        assert_eq!(contents(folder.path().join("b"), 2).unwrap_err().kind(), io::ErrorKind::NotFound);
        for other in [folder.path(), Path::new("/dev/zero")] {
            assert_eq!(contents(other, 2).unwrap_err().to_string(), "it is no regular file");
        }
        let pipe = folder.path().join("pipe");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        assert_eq!(contents(&pipe, 2).unwrap_err().to_string(), "it is no regular file");
    }
}
