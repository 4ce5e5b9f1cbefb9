//! From the place of a configuration to a plan, and from a plan to a snapshot.

use callgate_core::{LoadError, Registry, plan::Plan};

use super::answer::Failed;
use crate::{
    reload::refused_tls,
    server::background,
    source::{Fetched, Patience, Place, Source, SourceError},
};

/// Reads and checks a configuration.
pub(super) fn plan(config: &Place, registry: &Registry) -> Result<Plan, Failed> {
    fetched(config)?.plan(registry).map_err(Failed::Invalid)
}

/// Fetches a configuration once.
fn fetched(config: &Place) -> Result<Fetched, Failed> {
    if let Place::Files(path) = config {
        return Ok(Fetched::Files(path.clone()));
    }
    let runtime = background().map_err(|error| Failed::Impossible(error.to_string()))?;
    let fetched = runtime.block_on(async {
        let source = Source::open(config, runtime.handle(), Patience::None).await?;
        source.fetch().await
    });
    fetched.map_err(unread)
}

/// Why nothing was fetched.
pub(super) fn unread(error: SourceError) -> Failed {
    match error {
        SourceError::Address(wrong) => Failed::Usage(wrong.to_string()),
        #[cfg(feature = "nats")]
        other @ SourceError::Bucket { .. } => Failed::Impossible(other.to_string()),
    }
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
