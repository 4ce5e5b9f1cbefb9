//! The kind `soap` behind a gateway, against services of other libraries and against raw servers.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod calls;
mod faults;
mod node;
mod pages;
mod settings;
mod stage;
mod zeep;
