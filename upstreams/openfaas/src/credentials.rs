//! Basic authentication towards the gateway's own interface.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use base64::{Engine, engine::general_purpose::STANDARD};
use callgate_core::{Context, Files, Invalid, Secret};
use http::HeaderValue;

use crate::config::Basic;

/// Who lists functions.
#[derive(Debug)]
pub(crate) struct Login {
    user: String,
    password: Password,
    context: Context,
}

#[derive(Debug)]
enum Password {
    Given(Secret),
    File(PathBuf),
}

/// Why the credentials can't be sent.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LoginError {
    #[error("the password file {file} can't be read: {source}", file = file.display())]
    File { file: PathBuf, source: io::Error },
    #[error("the gateway stops")]
    Stopped(#[from] callgate_core::Stopped),
    #[error("user and password make no header")]
    Header(#[from] http::header::InvalidHeaderValue),
}

impl Login {
    pub(crate) fn new(basic: Basic, context: &Context) -> Self {
        let password = match (basic.password, basic.password_file) {
            (Some(password), _) => Password::Given(password),
            (None, file) => Password::File(context.live_file(file.unwrap_or_default())),
        };
        Self { user: basic.user, password, context: context.clone() }
    }

    /// What `authorization` says; a file is read anew, so that a changed password holds at once.
    pub(crate) async fn header(&self) -> Result<HeaderValue, LoginError> {
        let password = match &self.password {
            Password::Given(password) => password.clone(),
            Password::File(file) => {
                let path = file.clone();
                self.context.blocking(move || read(&path)).await??
            }
        };
        let encoded = STANDARD.encode(format!("{}:{}", self.user, password.expose()));
        let mut value = HeaderValue::try_from(format!("Basic {encoded}"))?;
        value.set_sensitive(true);
        Ok(value)
    }
}

/// What is wrong with the file of the password. It is not watched: it is read anew at every use.
pub(crate) fn flaw_of_file(basic: &Basic, files: &Files) -> Option<Invalid> {
    let file = files.directory().join(basic.password_file.as_ref()?);
    let error = read(&file).err()?;
    Some(Invalid::new(error.to_string()).at("credentials.basic.password_file"))
}

fn read(file: &Path) -> Result<Secret, LoginError> {
    let text = fs::read_to_string(file).map_err(|source| LoginError::File { file: file.to_owned(), source })?;
    // The newline that editors add, as references to files drop it.
    let line = text.strip_suffix('\n').map_or(&*text, |line| line.strip_suffix('\r').unwrap_or(line));
    Ok(Secret::new(line))
}

#[cfg(test)]
mod tests {
    use tokio::runtime::Handle;

    use super::*;

    fn login(folder: &std::path::Path, password: Option<&str>, file: Option<&str>) -> Login {
        let basic = Basic {
            user: "admin".to_owned(),
            password: password.map(Secret::new),
            password_file: file.map(Into::into),
        };
        Login::new(basic, &Context::new("faas", folder, Handle::current()))
    }

    #[tokio::test]
    async fn user_and_password_are_encoded() {
        let folder = tempfile::tempdir().unwrap();
        let header = login(folder.path(), Some("hunter2"), None).header().await.unwrap();
        assert_eq!(header, "Basic YWRtaW46aHVudGVyMg==");
        assert!(header.is_sensitive());
    }

    #[tokio::test]
    async fn a_file_is_read_at_every_use_without_its_last_newline() {
        let folder = tempfile::tempdir().unwrap();
        let login = login(folder.path(), None, Some("password"));
        let missing = login.header().await.unwrap_err().to_string();
        assert!(missing.contains("password can't be read"), "{missing}");
        for text in ["hunter2\n", "hunter2\r\n", "hunter2"] {
            std::fs::write(folder.path().join("password"), text).unwrap();
            assert_eq!(login.header().await.unwrap(), "Basic YWRtaW46aHVudGVyMg==");
        }
    }
}
