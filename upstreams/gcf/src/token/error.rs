//! Why there is no token.

use std::{io, path::PathBuf, time::Duration};

use callgate_core::ErrorKind;
use callgate_http::EndpointError;

/// No token for a call. Told to everyone who waits for it.
#[derive(Debug, Clone, thiserror::Error)]
#[error("there is no ID token: {message}")]
pub(crate) struct TokenError {
    pub(crate) kind: ErrorKind,
    /// For the log. It holds no token and no key.
    pub(crate) message: String,
    pub(crate) retry_after: Option<Duration>,
}

impl TokenError {
    pub(crate) fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), retry_after: None }
    }

    /// Something that may be otherwise at the next try.
    pub(crate) fn unavailable(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Unavailable, message)
    }
}

/// Credentials that no token can come from: the load fails.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CredentialsError {
    #[error("{} can't be read", file.display())]
    File { file: PathBuf, source: io::Error },
    #[error("{} is no file of Google credentials", file.display())]
    Json { file: PathBuf, source: serde_json::Error },
    #[error("`{field}` can't be used")]
    Url { field: &'static str, source: EndpointError },
    #[error("`private_key` holds no RSA key in PEM form")]
    Key,
    #[error(
        "credentials of the type `{0}` give no ID tokens: use a service account's key, an impersonation or a federation"
    )]
    Type(String),
    #[error(
        "a user's own credentials give no ID token for a function: impersonate a service account \
         (`gcloud auth application-default login --impersonate-service-account=ACCOUNT`)"
    )]
    User,
    #[error(
        "a federated identity has no ID tokens of its own: create the file with a service account to impersonate \
         (`service_account_impersonation_url`)"
    )]
    NoImpersonation,
    #[error("`service_account_impersonation_url` does not end with `:generateAccessToken`")]
    ImpersonationUrl,
    #[error("subject tokens come from a `file` or a `url` here: other sources are not supported")]
    SubjectSource,
    #[error("`format` is neither `text` nor `json` with a `subject_token_field_name`")]
    Format,
    #[error("GCE_METADATA_HOST is no host")]
    MetadataHost(#[source] EndpointError),
    #[error("the gateway stops")]
    Stopped,
}
