//! The policies of the attempt, through the real binary, with services that fail on purpose.

#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail by panicking")]

mod attempts;
mod endpoints;
#[path = "../triggers/gateway.rs"]
#[allow(dead_code, reason = "triggers end their gateways in more ways")]
mod gateway;
mod service;
