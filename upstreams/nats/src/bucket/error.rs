//! Why a bucket can't be read. No text holds credentials.

use std::error::Error;

use async_nats::{
    ConnectError, ConnectErrorKind,
    jetstream::context::{GetStreamError, KeyValueError},
};

use super::Revision;
use crate::error::NatsError;

/// A bucket can't be read.
#[derive(Debug, thiserror::Error)]
pub enum BucketError {
    /// The settings, or the credentials that they name.
    #[error(transparent)]
    Settings(SettingsError),
    /// No server can be reached, or the one that is there refuses the credentials.
    #[error("{}", of_connect(.0))]
    Connect(#[source] ConnectError),
    /// There is no connection at the moment.
    #[error("there is no connection to NATS{}", .why.as_ref().map(|why| format!(": {why}")).unwrap_or_default())]
    Disconnected {
        /// What the latest attempt met.
        why: Option<String>,
    },
    /// There is no such bucket.
    #[error("there is no bucket `{bucket}`: make it, for example by `nats kv add {bucket}`")]
    Missing {
        /// The bucket's name.
        bucket: String,
    },
    /// The stream is there and is no bucket.
    #[error("`{bucket}` is no bucket that can be read")]
    NotOne {
        /// The bucket's name.
        bucket: String,
        /// What the client library says of it.
        source: KeyValueError,
    },
    /// The user has no permission.
    #[error("the gateway's user may not {what}")]
    Denied {
        /// What it would have to be allowed to.
        what: String,
    },
    /// JetStream gives no answer, or another than was asked for.
    #[error("JetStream does not tell of the bucket")]
    Unanswered(#[source] GetStreamError),
    /// The bucket can't be watched.
    #[error("the bucket can't be watched")]
    Watch(#[source] Box<dyn Error + Send + Sync>),
    /// There is more in it than is read.
    #[error("the bucket holds more than 4,096 keys or 32 MiB: a configuration has a bucket of its own")]
    TooLarge {
        /// The bucket's state.
        revision: Revision,
    },
    /// The server does not answer in time.
    #[error("NATS did not answer within 5 s")]
    Late,
    /// The bucket is watched no more.
    #[error("NATS tells nothing more of the bucket")]
    Lost,
}

/// Settings can't be used, or a file that they name can't be read.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct SettingsError(NatsError);

impl From<NatsError> for BucketError {
    fn from(error: NatsError) -> Self {
        Self::Settings(SettingsError(error))
    }
}

impl BucketError {
    pub(super) fn watch(error: impl Error + Send + Sync + 'static) -> Self {
        Self::Watch(Box::new(error))
    }

    /// Whether another attempt may succeed with nothing changed but the time.
    #[must_use]
    pub fn may_pass(&self) -> bool {
        match self {
            Self::Connect(error) => {
                matches!(error.kind(), ConnectErrorKind::Dns | ConnectErrorKind::Io | ConnectErrorKind::TimedOut)
            }
            Self::Disconnected { .. } | Self::Unanswered(_) | Self::Watch(_) | Self::Late | Self::Lost => true,
            Self::Settings(_)
            | Self::Missing { .. }
            | Self::NotOne { .. }
            | Self::Denied { .. }
            | Self::TooLarge { .. } => false,
        }
    }
}

fn of_connect(error: &ConnectError) -> &'static str {
    match error.kind() {
        ConnectErrorKind::Authentication | ConnectErrorKind::AuthorizationViolation => {
            "the NATS server refuses the credentials"
        }
        ConnectErrorKind::Tls => "no TLS connection to NATS can be made",
        _ => "NATS can't be reached",
    }
}
