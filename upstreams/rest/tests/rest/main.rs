//! The kind `rest` behind a gateway, against raw servers whose every byte a test decides.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod contract;
mod endpoints;
mod messages;
mod operations;
mod prism;
mod recorder;
mod stage;
