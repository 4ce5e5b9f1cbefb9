//! Why a source can't be read. No text holds credentials.

/// An address names no bucket.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the address of the configuration {message}\n  help: {hint}")]
pub(crate) struct AddressError {
    message: String,
    hint: &'static str,
}

impl AddressError {
    #[cfg(feature = "nats")]
    pub(super) fn new(message: impl Into<String>, hint: &'static str) -> Self {
        Self { message: message.into(), hint }
    }

    #[cfg(not(feature = "nats"))]
    pub(super) fn not_built() -> Self {
        Self {
            message: "is a bucket's, and this build has no NATS".to_owned(),
            hint: "build it with `--features nats`",
        }
    }
}

/// A configuration can't be fetched.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SourceError {
    #[error(transparent)]
    Address(#[from] AddressError),
    #[cfg(feature = "nats")]
    #[error("the configuration can't be read from {address}: {}", callgate_core::chain(.source))]
    Bucket { address: String, source: callgate_nats::bucket::BucketError },
}
