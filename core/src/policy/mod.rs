//! Policies: what holds for a route whatever its function is. `stack` assembles them.

mod body;
mod dispatch;
mod limits;
mod settings;
mod stack;
mod timeout;
mod transformation;

pub(crate) use body::limited;
pub(crate) use settings::{LimitSettings, Policies, PolicySettings, Timeout, with_policies};
pub(crate) use stack::stack;
pub(crate) use transformation::Pipelines;
