//! The endpoints of an upstream that has several.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

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

/// Which endpoints the attempts of one request used, by numbers that the kind gives them, so that the next attempt goes
/// to another one.
#[derive(Debug, Clone, Default)]
pub struct Tried(Arc<AtomicU64>);

impl Tried {
    /// An attempt uses the endpoint of this number. Numbers from 64 on share those below.
    pub fn add(&self, number: usize) {
        self.0.fetch_or(bit(number), Ordering::Relaxed);
    }

    /// Whether an attempt used the endpoint of this number.
    #[must_use]
    pub fn has(&self, number: usize) -> bool {
        self.0.load(Ordering::Relaxed) & bit(number) != 0
    }
}

const fn bit(number: usize) -> u64 {
    1 << (number % u64::BITS as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attempts_remember_together() {
        let one = Tried::default();
        let other = one.clone();
        one.add(3);
        assert!(other.has(3) && !other.has(4));
        drop(one);
        assert!(other.has(3));
    }
}
