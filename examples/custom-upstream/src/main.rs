//! Callgate with one kind more, and one source of triggers.

use std::process::ExitCode;

fn main() -> ExitCode {
    callgate::run(callgate::registry().with::<callgate_redis::Redis>().with_trigger::<callgate_redis::RedisTrigger>())
}
