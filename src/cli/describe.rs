//! `callgate describe`.

use callgate_core::{DescribeError, Registry};

use super::{
    answer::{Answer, Failed},
    load, progress,
};
use crate::{server::background, source::Place};

pub(super) fn describe(config: &Place, registry: &Registry, function: &str) -> Result<Answer, Failed> {
    let plan = load::plan(config, registry)?;
    let runtime = background().map_err(|error| Failed::Impossible(error.to_string()))?;
    let what = format!("asking what {function} takes and gives");
    let asking = progress::watched(&what, plan.describe(function, runtime.handle()));
    let described = runtime.block_on(asking).map_err(|error| match error {
        DescribeError::Invalid(report) => Failed::Invalid(report),
        error @ (DescribeError::Unknown { .. } | DescribeError::Undescribed { .. }) => Failed::Usage(error.to_string()),
        error => Failed::Impossible(error.to_string()),
    })?;
    Ok(Answer::new(described.to_string(), described.to_json()))
}
