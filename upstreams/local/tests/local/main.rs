//! Functions as real processes, by the built-in bootstraps and by those of others.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails where it can't go on")]

mod clients;
mod documents;
mod failures;
mod pool;
mod runtimes;
mod site;
mod streaming;
