//! The kind `openfaas` behind a gateway, against a stand-in of OpenFaaS and against raw servers.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod calls;
mod discovery;
mod failures;
mod page;
mod queued;
mod secure;
mod stage;
