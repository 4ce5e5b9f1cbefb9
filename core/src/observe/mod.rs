//! What is seen of a request: its span, the access line when its body ends, and the log of a failure.

mod access;
mod cut;
mod failure;
mod line;
mod span;

pub(crate) use access::{Observation, Reshaped};
pub(crate) use cut::Streaming;
pub(crate) use failure::log_failure;
pub use line::{AccessLine, AccessSink};
pub use span::{Attribute, Span, SpanSide, TraceSink};
pub(crate) use span::{Called, Processed, Traced, TracedCall};

use std::sync::Arc;

use crate::metrics::Metrics;

/// Who is told of requests, whatever the configuration is at the moment: they stay over a reload.
#[derive(Clone, Default)]
pub(crate) struct Observers {
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) access: Option<Arc<dyn AccessSink>>,
    pub(crate) traces: Option<Arc<dyn TraceSink>>,
}
