//! The conformance suite against a service that speaks HTTP/2.

mod fixture;
mod remote;

use std::process::ExitCode;

fn main() -> ExitCode {
    callgate_testkit::conformance::run::<fixture::Http<true>>()
}
