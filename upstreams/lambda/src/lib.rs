//! Callgate upstream kind lambda: AWS Lambda functions.
#![allow(dead_code, unused, reason = "wip")]
mod clock;
mod error;
mod keys;
mod name;
mod region;
mod sign;
