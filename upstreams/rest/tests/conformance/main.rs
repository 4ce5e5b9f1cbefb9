//! The conformance suite against a service that speaks HTTP/1.1.

mod fixture;
mod remote;

use std::process::ExitCode;

fn main() -> ExitCode {
    callgate_testkit::conformance::run::<fixture::Http<false>>()
}
