//! What is seen of a request: its span, the access line when its body ends, and the log of a failure.

mod access;
mod failure;

pub(crate) use access::Observation;
pub(crate) use failure::log_failure;
