//! Triggers, through the real binary and a real nats-server.

#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail by panicking")]

mod broker;
mod ending;
mod functions;
mod gateway;
mod processing;
mod subject;
