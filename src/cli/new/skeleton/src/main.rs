//! Callgate with one kind more.

use std::process::ExitCode;

fn main() -> ExitCode {
    callgate::run(callgate::registry().with::<callgate_skeleton::Skeleton>())
}
