use std::{
    path::{Path, PathBuf},
    process::Command,
};

use super::PeerError;

/// A virtual environment of the testbed, as `./tests/run` makes it.
#[derive(Debug, Clone)]
pub struct Python {
    environment: PathBuf,
}

impl Python {
    /// The environment with the pinned peers.
    ///
    /// # Errors
    /// [`PeerError::Missing`] when it was not installed.
    pub fn find() -> Result<Self, PeerError> {
        Self::named("venv", "the Python testbed")
    }

    /// The environment with LocalStack, whose pins do not go together with those of the others.
    ///
    /// # Errors
    /// [`PeerError::Missing`] when it was not installed.
    pub fn localstack() -> Result<Self, PeerError> {
        Self::named("localstack", "LocalStack")
    }

    fn named(name: &str, what: &'static str) -> Result<Self, PeerError> {
        let environment = testbed().join(name);
        let python = environment.join("bin/python");
        if python.exists() { Ok(Self { environment }) } else { Err(PeerError::Missing { what, path: python }) }
    }

    /// The path of a program of the environment.
    ///
    /// # Errors
    /// [`PeerError::Missing`] when its package was not installed.
    pub fn program(&self, name: &'static str) -> Result<PathBuf, PeerError> {
        let path = self.environment.join("bin").join(name);
        if path.exists() { Ok(path) } else { Err(PeerError::Missing { what: name, path }) }
    }

    /// Makes sure that a package is there, by its folder.
    ///
    /// # Errors
    /// [`PeerError::Missing`] when it was not installed.
    pub fn package(&self, folder: &'static str) -> Result<(), PeerError> {
        self.package_file(folder).map(drop)
    }

    /// The path of a file, or a folder, that a package brings.
    ///
    /// # Errors
    /// [`PeerError::Missing`] when the package was not installed.
    pub fn package_file(&self, name: &'static str) -> Result<PathBuf, PeerError> {
        let libraries = std::fs::read_dir(self.environment.join("lib")).into_iter().flatten().flatten();
        let mut found = libraries.map(|library| library.path().join("site-packages").join(name));
        found.find(|path| path.exists()).ok_or_else(|| PeerError::Missing {
            what: name,
            path: self.environment.join("lib/*/site-packages").join(name),
        })
    }

    /// A command of the environment's interpreter, its programs first on the path.
    #[must_use]
    pub fn command(&self) -> Command {
        self.command_of(&self.environment.join("bin/python"))
    }

    /// A command of one program of the environment, its programs first on the path.
    ///
    /// # Errors
    /// As [`program`](Self::program).
    pub fn program_command(&self, name: &'static str) -> Result<Command, PeerError> {
        Ok(self.command_of(&self.program(name)?))
    }

    fn command_of(&self, program: &Path) -> Command {
        let mut path = self.environment.join("bin").into_os_string();
        if let Some(inherited) = std::env::var_os("PATH") {
            path.push(":");
            path.push(inherited);
        }
        let mut command = Command::new(program);
        command.env("PATH", path).env("VIRTUAL_ENV", &self.environment).env_remove("PYTHONPATH");
        command.env("PYTHONUNBUFFERED", "1");
        command
    }
}

/// The folder that `./tests/run` installs peers into: `CALLGATE_TESTBED`, else `.testbed` of the repository.
pub(crate) fn testbed() -> PathBuf {
    std::env::var_os("CALLGATE_TESTBED").map_or_else(|| repository().join(".testbed"), PathBuf::from)
}

/// The repository's root folder.
pub(crate) fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}
