//! `callgate describe`.

use std::path::Path;

use callgate_core::{DescribeError, Registry};

use super::{Failed, load};
use crate::server::background;

pub(super) fn describe(config: &Path, registry: &Registry, function: &str) -> Result<String, Failed> {
    let plan = load::plan(config, registry)?;
    let runtime = background().map_err(|error| Failed::Invalid(format!("error: {error}")))?;
    let described = runtime.block_on(plan.describe(function, runtime.handle())).map_err(|error| match error {
        DescribeError::Invalid(report) => Failed::Invalid(report.to_string()),
        error @ (DescribeError::Unknown { .. } | DescribeError::Undescribed { .. }) => {
            Failed::Usage(format!("error: {error}"))
        }
        error => Failed::Invalid(format!("error: {error}")),
    })?;
    Ok(described.to_string())
}
