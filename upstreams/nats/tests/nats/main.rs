//! The kind `nats` against a real nats-server.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod bursts;
mod cluster;
mod credentials;
mod events;
mod faults;
mod identity;
mod jetstream;
mod publish;
mod request;
mod stage;
mod triggers;
mod workers;
