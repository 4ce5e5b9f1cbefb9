//! The container, and the examples of how a gateway is deployed: they are what they should be as far as this machine can tell, and
//! three gateways behind HAProxy survive the loss of each.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "helpers of tests fail by panicking, and a test ends its own tasks"
)]

mod balancers;
mod bucket;
mod client;
mod files;
mod fleet;
mod gateways;
mod image;
mod orders;
mod posts;

use std::{
    path::Path,
    process::{Command, Output},
};

/// The repository's root folder.
fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The binary, with a token for the admin as deployments give one.
fn callgate(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_callgate"));
    command.args(arguments).env("ADMIN_TOKEN", "hush-hush").env("AWS_EC2_METADATA_DISABLED", "true");
    command
}

/// Runs a command and fails with what it printed.
fn succeeds(command: &mut Command) -> String {
    let Output { status, stdout, stderr } = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let text = String::from_utf8_lossy(&stdout).into_owned() + &String::from_utf8_lossy(&stderr);
    assert!(status.success(), "{command:?}: {status}\n{text}");
    text
}

fn installed(program: &str) -> bool {
    Command::new(program).arg("--version").output().is_ok()
}

/// Says that a program is not here which `tests/run` does not install: no failure.
#[expect(clippy::print_stderr, reason = "it is the report of a test")]
fn absent_here(what: &str) {
    eprintln!("ignored: {what} is not here");
}
