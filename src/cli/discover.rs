//! `callgate discover`.

use std::path::Path;

use callgate_core::{DiscoverError, Registry};

use super::{Failed, load};
use crate::server::background;

pub(super) fn discover(config: &Path, registry: &Registry, upstream: &str) -> Result<String, Failed> {
    let plan = load::plan(config, registry)?;
    let runtime = background().map_err(|error| Failed::Invalid(format!("error: {error}")))?;
    let listing = runtime.block_on(plan.discover(upstream, runtime.handle())).map_err(|error| match error {
        DiscoverError::Invalid(report) => Failed::Invalid(report.to_string()),
        error @ DiscoverError::Unknown { .. } => Failed::Usage(format!("error: {error}")),
        error @ DiscoverError::Unsupported { .. } => Failed::Usage(format!("error: {error}; {}", able(registry))),
        error => Failed::Invalid(format!("error: {error}")),
    })?;
    Ok(listing.to_string())
}

/// Which kinds could be asked.
fn able(registry: &Registry) -> String {
    let kinds: Vec<_> = registry.discovering().collect();
    if kinds.is_empty() {
        "no kind of this build can".to_owned()
    } else {
        format!("the kinds that can are {}", kinds.join(", "))
    }
}
