//! Policies: what holds for a route whatever its function is. `stack` assembles them.

mod answer;
mod body;
mod circuit_breaker;
mod concurrency;
mod dispatch;
mod guards;
mod limits;
mod mirror;
mod reason;
mod retry;
mod settings;
mod stack;
mod timeout;
mod transformation;
mod window;

#[cfg(test)]
mod tests;

pub use circuit_breaker::CircuitState;
pub use concurrency::ConcurrencyState;

pub(crate) use answer::{Asked, CompressionSettings, CorsSettings, HeaderSettings, is_preflight};
pub(crate) use body::limited;
pub(crate) use circuit_breaker::BreakerSettings;
pub(crate) use concurrency::ConcurrencySettings;
pub(crate) use guards::Guards;
pub(crate) use mirror::{Copies, Mirror, MirrorSettings};
pub(crate) use reason::Reason;
pub(crate) use retry::RetrySettings;
pub(crate) use settings::{LimitSettings, Policies, PolicySettings, policies, settings_with, with_policies};
pub(crate) use stack::{Stack, stack};
pub(crate) use timeout::Timeout;
pub(crate) use transformation::Pipelines;
