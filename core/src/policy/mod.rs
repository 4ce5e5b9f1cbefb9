//! Policies: what holds for a route whatever its function is. `stack` assembles them.

mod access;
mod admission;
mod answer;
mod auth;
mod body;
mod cache;
mod circuit_breaker;
mod concurrency;
mod denial;
mod dispatch;
mod end;
mod guards;
mod limits;
mod mirror;
mod rate_limit;
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

pub(crate) use access::{AccessPlan, Entrance, Memory, Resolved};
pub(crate) use answer::{Asked, CompressionSettings, CorsSettings, HeaderSettings, is_preflight};
pub(crate) use auth::AuthSettings;
pub(crate) use body::limited;
pub(crate) use cache::CacheSettings;
pub(crate) use circuit_breaker::BreakerSettings;
pub(crate) use concurrency::ConcurrencySettings;
pub(crate) use denial::Denial;
pub(crate) use end::End;
pub(crate) use guards::Guards;
pub(crate) use mirror::{Copies, Mirror, MirrorSettings};
pub(crate) use rate_limit::RateLimitSettings;
pub(crate) use reason::Reason;
pub(crate) use retry::RetrySettings;
pub(crate) use settings::{LimitSettings, Policies, PolicySettings, policies, settings_with, with_policies};
pub(crate) use stack::{Stack, admitted, stack};
pub(crate) use timeout::{Awaited, Timeout};
pub(crate) use transformation::Pipelines;
