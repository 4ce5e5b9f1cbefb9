//! From a path to a plan, and from a plan to a snapshot.

use std::path::Path;

use callgate_core::{LoadError, Registry, document::System, plan::Plan};

use super::answer::Failed;
use crate::reload::refused_tls;

/// Reads and checks a configuration.
pub(super) fn plan(config: &Path, registry: &Registry) -> Result<Plan, Failed> {
    Plan::load(config, &System, registry).map_err(Failed::Invalid)
}

/// Checks the files of every TLS listener, which a plan does not read.
pub(super) fn tls(plan: &Plan) -> Result<(), Failed> {
    let report = refused_tls(plan);
    if report.is_empty() { Ok(()) } else { Err(Failed::Invalid(report)) }
}

/// Why a plan can't be connected.
pub(super) fn refused(error: LoadError) -> Failed {
    match error {
        LoadError::Invalid(report) => Failed::Invalid(report),
        other => Failed::Impossible(other.to_string()),
    }
}
