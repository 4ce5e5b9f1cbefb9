//! From a path to a plan, and from a plan to a snapshot.

use std::path::Path;

use callgate_core::{Registry, document::System, plan::Plan};

use super::Failed;
use crate::reload::refused_tls;

/// Reads and checks a configuration.
pub(super) fn plan(config: &Path, registry: &Registry) -> Result<Plan, Failed> {
    Plan::load(config, &System, registry).map_err(|report| Failed::Invalid(report.to_string()))
}

/// Checks the files of every TLS listener, which a plan does not read.
pub(super) fn tls(plan: &Plan) -> Result<(), Failed> {
    let report = refused_tls(plan);
    if report.is_empty() { Ok(()) } else { Err(Failed::Invalid(report.to_string())) }
}
