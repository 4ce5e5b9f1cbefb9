//! The command line, through the real binary.

#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail by panicking")]

mod commands;
mod diagnostics;
mod discover;
mod documentation;
mod files;
mod guide;
mod health;
mod import;
mod init;
mod new;
mod output;
mod quickstart;
mod reference;
mod render;
mod serving;
mod terminal;
mod trials;

use std::{
    path::Path,
    process::{Command, Output},
};

/// The binary, with nothing of this machine's environment that a configuration could refer to.
fn callgate(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_callgate"));
    command.args(arguments).env_remove("CALLGATE_LOG").env("AWS_EC2_METADATA_DISABLED", "true");
    command
}

struct Ran {
    code: Option<i32>,
    out: String,
    err: String,
}

fn ran(command: &mut Command) -> Ran {
    let Output { status, stdout, stderr } = command.output().expect("the binary runs");
    Ran {
        code: status.code(),
        out: String::from_utf8(stdout).expect("UTF-8"),
        err: String::from_utf8(stderr).expect("UTF-8"),
    }
}

/// Writes a configuration and gives its folder; the file is `callgate.yaml` in it.
fn configured(yaml: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    std::fs::write(folder.path().join("callgate.yaml"), yaml).expect("written");
    folder
}

/// Runs a command on a configuration, in its folder, so that no path of this machine is in the output.
fn on(folder: &Path, before: &[&str], after: &[&str]) -> Ran {
    let mut arguments = before.to_vec();
    arguments.push("callgate.yaml");
    arguments.extend_from_slice(after);
    ran(callgate(&arguments).current_dir(folder))
}
