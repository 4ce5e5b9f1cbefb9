//! `callgate config`.

use std::path::Path;

use callgate_core::{Registry, plan::to_yaml};

use super::{Failed, load};

pub(super) fn config(config: &Path, registry: &Registry) -> Result<String, Failed> {
    let plan = load::plan(config, registry)?;
    Ok(to_yaml(plan.effective()))
}
