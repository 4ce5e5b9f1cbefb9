//! `callgate config`.

use callgate_core::{Registry, plan::to_yaml};

use super::{
    answer::{Answer, Failed},
    load,
};
use crate::source::Place;

pub(super) fn config(config: &Place, registry: &Registry) -> Result<Answer, Failed> {
    let plan = load::plan(config, registry)?;
    Ok(Answer::new(to_yaml(plan.effective()), plan.effective().clone()))
}
