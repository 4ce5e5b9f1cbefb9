//! Upstreams as operators see them.

use std::{collections::BTreeMap, sync::Arc};

use super::{Connected, Snapshot};
use crate::{
    error::UpstreamError,
    policy::{CircuitState, ConcurrencyState},
    upstream::{ConnectionsState, Discovered, EndpointState, TokenState},
};

/// An upstream of the configuration in force. Of circuits and places there is one for each set of settings that its routes
/// have.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct UpstreamState {
    /// Its kind.
    pub kind: &'static str,
    /// Its circuits, of `circuit_breaker`.
    pub circuits: Vec<CircuitState>,
    /// Its places, of `concurrency`.
    pub concurrency: Vec<ConcurrencyState>,
    /// Its endpoints, where its kind has several to choose from.
    pub endpoints: Vec<EndpointState>,
    /// Its connections, where its kind keeps a pool of them.
    pub connections: Option<ConnectionsState>,
    /// The tokens that it renews.
    pub tokens: Vec<TokenState>,
    /// What came of asking it for its functions, where its document says `discover`.
    pub discovery: Option<Listed>,
}

/// What came of asking an upstream for its functions.
#[derive(Debug, Clone)]
pub enum Listed {
    /// It has not answered yet.
    Asked,
    /// Its functions, by name.
    Functions(Arc<[Discovered]>),
    /// The last time that it was asked, it could not list them.
    Failed(Arc<UpstreamError>),
}

impl Snapshot {
    /// What every upstream does at the moment. Asks nobody.
    pub fn upstreams(&self) -> BTreeMap<String, UpstreamState> {
        self.upstreams.iter().map(|(name, connected)| (name.clone(), self.state(name, connected))).collect()
    }

    fn state(&self, name: &str, connected: &Connected) -> UpstreamState {
        let Connected { upstream, guards, kind, context, .. } = connected;
        UpstreamState {
            kind,
            circuits: guards.circuits(),
            concurrency: guards.concurrency(),
            endpoints: upstream.endpoints(),
            connections: context.gauges().connections(),
            tokens: context.gauges().tokens(),
            discovery: self.discoveries.get(name).map(|discovery| match discovery.latest() {
                None => Listed::Asked,
                Some(Ok(functions)) => Listed::Functions(functions),
                Some(Err(error)) => Listed::Failed(error),
            }),
        }
    }
}
