//! The kind `azure` behind a gateway: the stand-ins of the Functions host and of Microsoft Entra, and for what they don't
//! do servers whose every byte a test decides.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod bed;
mod environment;
mod failures;
mod keys;
mod paths;
mod quickstart;
mod reference;
mod renewal;
mod streaming;
mod tokens;
