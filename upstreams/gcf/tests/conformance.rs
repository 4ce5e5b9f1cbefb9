//! The conformance suite against the functions framework for Python.

#[path = "conformance/fixture.rs"]
mod fixture;

use std::process::ExitCode;

fn main() -> ExitCode {
    callgate_testkit::conformance::run::<fixture::Functions>()
}
