//! From a path to a plan, and from a plan to a snapshot.

use std::path::Path;

use callgate_core::{Registry, document::System, plan::Plan};

use super::Failed;

/// Reads and checks a configuration.
pub(super) fn plan(config: &Path, registry: &Registry) -> Result<Plan, Failed> {
    Plan::load(config, &System, registry).map_err(|report| Failed::Invalid(report.to_string()))
}
