//! Lambda through a whole gateway: against emulators that run real functions, and against a stand-in for what they
//! can't do.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "these are tests")]

mod credentials;
mod functions;
mod gateway;
mod localstack;
mod log;
mod ministack;
mod network;
mod roles;
mod stand_in;
mod streams;
mod suite;
mod wire;
