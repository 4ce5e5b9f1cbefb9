//! Policies: what holds for a route whatever its function is. `stack` assembles them.

mod body;
mod dispatch;
mod limits;
mod settings;
mod stack;
mod time_limit;
mod timeout;
mod transformation;

pub(crate) use body::limited;
pub(crate) use settings::{LimitSettings, Policies, PolicySettings, policies, settings_with, with_policies};
pub(crate) use stack::{Stack, stack};
pub(crate) use time_limit::Timeout;
pub(crate) use transformation::Pipelines;
