//! The conformance suite against a service that speaks HTTP/1.1.

#[path = "conformance/fixture.rs"]
mod fixture;
#[path = "conformance/remote.rs"]
mod remote;

use std::process::ExitCode;

fn main() -> ExitCode {
    callgate_testkit::conformance::run::<fixture::Http<false>>()
}
