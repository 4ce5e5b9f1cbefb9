//! Application default credentials: where Google's own libraries look for them, in their order.
//!
//! <https://cloud.google.com/docs/authentication/application-default-credentials>

use std::{env, ffi::OsString, path::PathBuf};

use super::{
    credentials,
    error::CredentialsError,
    metadata::{Found, Metadata},
    source::Source,
};

/// The variables that say where credentials are.
#[derive(Debug, Clone, Default)]
pub(crate) struct Environment {
    /// `GOOGLE_APPLICATION_CREDENTIALS`: a file.
    pub(crate) file: Option<OsString>,
    /// `CLOUDSDK_CONFIG`: the folder of gcloud.
    pub(crate) gcloud: Option<OsString>,
    /// `HOME`, below which that folder is otherwise.
    pub(crate) home: Option<OsString>,
    /// `GCE_METADATA_HOST`: host and port of the metadata server.
    pub(crate) metadata_host: Option<OsString>,
}

impl Environment {
    pub(crate) fn read() -> Self {
        let set = |name| env::var_os(name).filter(|value| !value.is_empty());
        Self {
            file: set("GOOGLE_APPLICATION_CREDENTIALS"),
            gcloud: set("CLOUDSDK_CONFIG"),
            home: set("HOME"),
            metadata_host: set("GCE_METADATA_HOST"),
        }
    }

    /// The first of the file that is named, the file of gcloud, and the metadata server. Reads files: it blocks.
    pub(crate) fn credentials(&self) -> Result<Source, CredentialsError> {
        if let Some(file) = &self.file {
            return credentials::read(&PathBuf::from(file));
        }
        let folder = match (&self.gcloud, &self.home) {
            (Some(folder), _) => Some(PathBuf::from(folder)),
            (None, Some(home)) => Some(PathBuf::from(home).join(".config/gcloud")),
            (None, None) => None,
        };
        let file = folder.map(|folder| folder.join("application_default_credentials.json"));
        if let Some(file) = file.filter(|file| file.exists()) {
            return credentials::read(&file);
        }
        let (host, found) = match &self.metadata_host {
            Some(host) => (host.to_string_lossy().into_owned(), Found::Named),
            None => (Metadata::HOST.to_owned(), Found::Assumed),
        };
        Metadata::at(&host, found).map(Source::Metadata).map_err(CredentialsError::MetadataHost)
    }
}
