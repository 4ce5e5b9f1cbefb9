//! `callgate config`.

use std::path::Path;

use callgate_core::{Registry, plan::to_yaml};

use super::{
    answer::{Answer, Failed},
    load,
};

pub(super) fn config(config: &Path, registry: &Registry) -> Result<Answer, Failed> {
    let plan = load::plan(config, registry)?;
    Ok(Answer::new(to_yaml(plan.effective()), plan.effective().clone()))
}
