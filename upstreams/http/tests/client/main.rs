//! The client against servers that behave, and raw ones that don't.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::let_underscore_must_use,
    reason = "a test fails by panicking"
)]

mod malformed;
mod peer;
mod proxy;
mod request;
mod reuse;
mod secure;
mod streaming;
mod upgrade;
