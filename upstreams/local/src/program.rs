//! What a process of a function runs.

use std::{
    ffi::{OsStr, OsString},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use crate::config::{LocalTarget, Runtime};

const PYTHON3: &str = include_str!("../runtimes/python3.py");
const NODE: &str = include_str!("../runtimes/node.mjs");

/// A program with its arguments. It is looked up at every start: it may be built anew while the gateway runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Program {
    name: String,
    pub(crate) arguments: Vec<String>,
}

/// No file that can be run is where the program should be.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotFound {
    #[error("`{0}` is not in PATH")]
    InPath(String),
    #[error("there is no executable file {}", .0.display())]
    File(PathBuf),
}

impl Program {
    pub(crate) fn of(target: &LocalTarget) -> Self {
        let arguments = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect();
        match (target.runtime, &target.command) {
            (Some(Runtime::Python3), _) => {
                Self { name: "python3".to_owned(), arguments: arguments(&["-u", "-c", PYTHON3]) }
            }
            (Some(Runtime::Node), _) => {
                Self { name: "node".to_owned(), arguments: arguments(&["--input-type=module", "--eval", NODE]) }
            }
            (None, Some(words)) => Self {
                name: words.first().cloned().unwrap_or_default(),
                arguments: words.get(1..).unwrap_or_default().to_vec(),
            },
            (None, None) => Self { name: String::new(), arguments: Vec::new() },
        }
    }

    /// The program's file: in the function's directory where its name has a slash, else by PATH.
    pub(crate) fn find(&self, directory: &Path, path: &OsStr) -> Result<PathBuf, NotFound> {
        if let Some(found) = self.find_file(directory) {
            return found;
        }
        std::env::split_paths(&OsString::from(path))
            .map(|folder| directory.join(folder).join(&self.name))
            .find(|file| is_executable(file))
            .ok_or_else(|| NotFound::InPath(self.name.clone()))
    }

    /// The program's file where its name has a slash.
    pub(crate) fn find_file(&self, directory: &Path) -> Option<Result<PathBuf, NotFound>> {
        self.name.contains('/').then(|| {
            let file = directory.join(&self.name);
            if is_executable(&file) { Ok(file) } else { Err(NotFound::File(file)) }
        })
    }
}

fn is_executable(file: &Path) -> bool {
    file.metadata().is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn program(command: &str) -> Program {
        Program::of(&LocalTarget { command: Some(vec![command.to_owned()]), ..LocalTarget::default() })
    }

    #[test]
    fn programs_are_looked_up_as_a_shell_does() {
        let find = |command: &str| program(command).find(Path::new("/bin"), OsStr::new("/nowhere:/bin"));
        assert_eq!(find("sh").unwrap(), Path::new("/bin/sh"));
        assert_eq!(find("./sh").unwrap(), Path::new("/bin/./sh"));
        assert_eq!(find("no-such-program").unwrap_err().to_string(), "`no-such-program` is not in PATH");
        assert_eq!(find("./none").unwrap_err().to_string(), "there is no executable file /bin/./none");
    }
}
