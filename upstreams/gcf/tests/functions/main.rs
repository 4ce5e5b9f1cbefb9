//! The kind `gcf` behind a gateway: against the functions framework, a stand-in for Google's token services, and servers
//! that fail as Google's front end and the network do.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod environment;
mod events;
mod failures;
mod front_end;
mod quickstart;
mod requests;
mod settings;
mod stage;
mod tokens;
