//! Conformance suite and launchers of real peers for upstream kinds of Callgate.

pub mod conformance;
pub mod gateway;
pub mod peers;
