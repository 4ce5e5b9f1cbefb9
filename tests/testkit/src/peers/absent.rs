use std::fmt::Display;

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
