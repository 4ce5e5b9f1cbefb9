//! A source as the command line names it.

use std::{
    ffi::OsString,
    fmt,
    path::{Path, PathBuf},
};

#[cfg(feature = "nats")]
use super::bucket::Address;
use super::error::AddressError;

/// The beginnings of addresses of buckets.
pub(super) const SCHEMES: [&str; 2] = ["nats://", "tls://"];

/// The place of a configuration.
#[derive(Debug, Clone)]
pub(crate) enum Place {
    /// A file, or a folder of them.
    Files(PathBuf),
    /// A key of a bucket. What is wrong with its address is told when it is used, as it may hold a password that the
    /// command line's own messages would show.
    #[cfg(feature = "nats")]
    Bucket(Result<Box<Address>, AddressError>),
    #[cfg(not(feature = "nats"))]
    Bucket(AddressError),
}

impl From<OsString> for Place {
    fn from(text: OsString) -> Self {
        match text.to_str().filter(|text| SCHEMES.iter().any(|scheme| text.starts_with(scheme))) {
            #[cfg(feature = "nats")]
            Some(address) => Self::Bucket(Address::parse(address, &callgate_core::document::System).map(Box::new)),
            #[cfg(not(feature = "nats"))]
            Some(_) => Self::Bucket(AddressError::not_built()),
            None => Self::Files(text.into()),
        }
    }
}

impl From<&Path> for Place {
    fn from(path: &Path) -> Self {
        Self::Files(path.to_owned())
    }
}

/// Without credentials.
impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Files(path) => path.display().fmt(f),
            #[cfg(feature = "nats")]
            Self::Bucket(Ok(address)) => address.fmt(f),
            Self::Bucket(_) => f.write_str("a bucket of NATS"),
        }
    }
}
