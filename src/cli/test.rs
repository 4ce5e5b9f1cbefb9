//! `callgate test`.

use std::path::Path;

use callgate_core::Registry;

use super::{Failed, load};

pub(super) fn test(config: &Path, registry: &Registry, filter: Option<&str>) -> Result<String, Failed> {
    let plan = load::plan(config, registry)?;
    let report = plan.test(filter);
    let text = plan.masked(&report.to_string());
    if report.passed() { Ok(text) } else { Err(Failed::Tests(text)) }
}
