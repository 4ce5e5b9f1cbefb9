//! The endpoints of an upstream that has several.

use std::time::Duration;

/// An endpoint, as operators see it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct EndpointState {
    /// Where it is: host and port, without credentials.
    pub address: String,
    /// Whether it gets calls.
    pub health: EndpointHealth,
}

/// Whether an endpoint gets calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum EndpointHealth {
    /// It gets its share.
    Healthy,
    /// Calls to it failed: others come first for a while.
    Ejected {
        /// For how long.
        left: Duration,
    },
    /// It does not answer as it should when it is asked: it gets no calls.
    Unhealthy,
}

impl EndpointState {
    /// An endpoint of this address.
    #[must_use]
    pub fn new(address: impl Into<String>, health: EndpointHealth) -> Self {
        Self { address: address.into(), health }
    }
}
