//! Callgate core: traits, registry, configuration, routes, policies and dispatch.
//!
//! Authors of a kind implement [`Upstream`]; see the [`upstream`] module. Those who embed the gateway read a
//! [`Plan`](plan::Plan), load a [`Snapshot`] and mount a [`Gateway`].

mod body;
mod builtin;
pub mod document;
mod edge;
mod error;
mod failure;
pub mod fairness;
mod gateway;
mod invocation;
pub mod metrics;
mod observe;
pub mod plan;
mod policy;
mod registry;
pub mod remote;
mod request_id;
mod respond;
pub mod routing;
mod snapshot;
pub mod trigger;
mod upgrade;
pub mod upstream;

pub use body::{Body, BodyError, BoxError};
pub use builtin::{Echo, EchoConfig, EchoFailure, EchoTarget};
pub use callgate_document::excerpt;
pub use document::{Period, Secret, Size};
pub use edge::{AlternativeNames, ClientCertificate, Connection, InvalidIpRange, IpRange};
pub use error::{ErrorKind, UpstreamError, chain, retry_after};
pub use gateway::{Gateway, Trial, TrialCall, TrialMessage};
pub use invocation::{CallContext, Invocation, MOST_HEADERS, Origin, Response, RouteInfo};
pub use observe::{AccessLine, AccessSink, Attribute, Span, SpanSide, TraceSink};
pub use policy::{CircuitState, ConcurrencyState};
pub use registry::Registry;
pub use request_id::RequestId;
pub use respond::Code;
pub use snapshot::{
    Changes, DescribeError, Described, DiscoverError, Dropped, Found, InUse, Listed, Listing, LoadError, Reloaded,
    Snapshot, Turnover, UpstreamState,
};
pub use trigger::{Delivery, Receipt, Redelivery, Trigger};
pub use upgrade::{OnUpgrade, Upgraded};
pub use upstream::{
    ConnectionsState, Content, Context, Description, Discovered, EndpointHealth, EndpointState, Files, Invalid, Late,
    Lease, Link, Links, OpenConnection, Parameter, PerWorker, PoolGauge, Renewed, Settings, Stopped, Target,
    TokenGauge, TokenState, Tried, Upstream, Whose, contents, part_from_brokers, written,
};
