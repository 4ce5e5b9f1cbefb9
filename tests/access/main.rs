//! Who may come in and how often, through the real binary: real Redis, a stand-in for an issuer of tokens, real services
//! that decide.

#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail by panicking")]

mod credentials;
mod external;
mod gateway;
mod guarded;
mod limits;
mod together;
mod tokens;
