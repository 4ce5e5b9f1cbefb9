use std::fmt::Display;

use super::PeerError;

/// The started peer, or `None` where it is not installed, which [`absent`] has then reported.
///
/// # Panics
/// When the peer is installed and does not start; and as [`absent`] does.
#[expect(clippy::panic, reason = "it speaks for the test that calls it")]
pub fn present<T>(started: Result<T, PeerError>) -> Option<T> {
    match started {
        Ok(peer) => Some(peer),
        Err(missing @ PeerError::Missing { .. }) => {
            absent(missing);
            None
        }
        Err(error) => panic!("{error}"),
    }
}

/// Reports that a peer cannot run here; the test returns after calling it.
///
/// Prints `ignored: <reason>`, because a test cannot be marked ignored once it runs.
///
/// # Panics
/// When `CALLGATE_REQUIRE_PEERS` or `CI` is set: there, an untested kind is a failure.
#[expect(clippy::panic, clippy::print_stderr, reason = "it speaks for the test that calls it")]
pub fn absent(reason: impl Display) {
    if required("CALLGATE_REQUIRE_PEERS") || required("CI") {
        panic!("a peer is missing and is required here: {reason}\nrun ./tests/run, which installs it");
    }
    eprintln!("ignored: {reason}");
}

fn required(variable: &str) -> bool {
    std::env::var_os(variable).is_some_and(|value| !value.is_empty() && value != "0" && value != "false")
}
