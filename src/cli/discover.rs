//! `callgate discover`.

use callgate_core::{DiscoverError, Registry};

use serde_json::json;

use super::{
    answer::{Answer, Failed},
    load, progress,
};
use crate::{server::background, source::Place};

pub(super) fn discover(config: &Place, registry: &Registry, upstream: &str) -> Result<Answer, Failed> {
    let plan = load::plan(config, registry)?;
    let runtime = background().map_err(|error| Failed::Impossible(error.to_string()))?;
    let what = format!("asking {upstream} for its functions");
    let asking = progress::watched(&what, plan.discover(upstream, runtime.handle()));
    let listing = runtime.block_on(asking).map_err(|error| match error {
        DiscoverError::Invalid(report) => Failed::Invalid(report),
        error @ DiscoverError::Unknown { .. } => Failed::Usage(error.to_string()),
        error @ DiscoverError::Unsupported { .. } => Failed::Usage(format!("{error}; {}", able(registry))),
        error => Failed::Impossible(error.to_string()),
    })?;
    Ok(Answer::new(listing.to_string(), json!({"upstream": upstream, "functions": listing.to_json()})))
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
