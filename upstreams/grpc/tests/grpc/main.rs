//! The kind `grpc` behind a gateway, against a service and a client of another library.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod calls;
mod description;
mod failures;
mod pass;
mod rules;
mod settings;
mod stage;
mod streams;
mod web;
