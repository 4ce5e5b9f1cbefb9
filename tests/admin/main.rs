//! The admin address, metrics, logs and the dashboard, through the real binary.

#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail by panicking")]
#![allow(clippy::disallowed_methods, reason = "a stand-in ends with its test")]

mod access_log;
mod cut;
mod dashboard;
mod endpoints;
mod exposition;
mod gateway;
mod metrics;
mod reloading;
mod states;
mod telemetry;
