//! Keeps the architecture: who may import what, what every kind looks like, and how long a file may be.
//!
//! It reads the tree and `cargo metadata` only. What it cannot prove: that a public signature shows no client's type,
//! and that no second table turns errors into statuses; reviews look for those.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod imports;
mod kinds;
mod published;
mod sources;
mod tree;
mod workspace;

/// Fails with every offender, one a line, rather than with the first.
fn assert_none(rule: &str, offenders: &[String]) {
    assert!(offenders.is_empty(), "{rule}:\n  {}", offenders.join("\n  "));
}
