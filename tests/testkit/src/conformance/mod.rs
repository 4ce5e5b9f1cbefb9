//! The conformance kit: what every kind of upstream has to do alike, against a real remote.
//!
//! A kind's crate has a test without the standard harness:
//!
//! ```toml
//! [[test]]
//! name = "conformance"
//! harness = false
//! ```
//!
//! ```ignore
//! fn main() -> std::process::ExitCode {
//!     callgate_testkit::conformance::run::<MyFixture>()
//! }
//! ```
//!
//! The [`Fixture`] starts the remote and says which of the remote's functions and abilities there are; trials that need
//! what the kind cannot have are shown as ignored, with the reason.

mod fixture;
mod harness;
mod trials;

use std::process::ExitCode;

use libtest_mimic::{Arguments, Failed, Trial};

pub use fixture::{Abilities, Fixture, Remote};
pub use harness::{Answer, Harness};

/// Runs the suite for a kind, as the command line of a test binary says.
pub fn run<F: Fixture>() -> ExitCode {
    let arguments = Arguments::from_args();
    let abilities = F::abilities();
    let discovers = F::registry().discovering().next().is_some();
    let trials = trials::all::<F>().into_iter().map(|(name, needs, body)| {
        let missing = needs.iter().copied().find(|need| !need.is_in(&abilities, discovers));
        let ignored = missing.map(|need| need.reason());
        let name = match ignored {
            Some(reason) => format!("{name} ({reason})"),
            None => name.to_owned(),
        };
        Trial::test(name, move || run_one::<F>(body)).with_ignored_flag(ignored.is_some())
    });
    libtest_mimic::run(&arguments, trials.collect()).exit_code()
}

fn run_one<F: Fixture>(body: trials::Body<F>) -> Result<(), Failed> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(async {
        let fixture = F::start().await.map_err(|error| format!("the remote did not start: {error}"))?;
        let Some(fixture) = fixture else { return Ok(()) };
        let harness = Harness::start(fixture).await?;
        body(harness).await
    })
}
