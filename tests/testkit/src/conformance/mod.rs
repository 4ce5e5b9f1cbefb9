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
//! what the kind cannot have are shown as ignored, with the reason. A kind of broker implements [`Broker`] too and calls
//! [`run_broker`].

mod fixture;
mod harness;
mod messaging;
mod trials;

use std::process::ExitCode;

use libtest_mimic::{Arguments, Failed, Trial};

pub use fixture::{Abilities, Fixture, Remote};
pub use harness::{Answer, Client, Harness};
pub use messaging::{Broker, Place, Taken};

/// Runs the suite for a kind, as the command line of a test binary says.
pub fn run<F: Fixture>() -> ExitCode {
    let arguments = Arguments::from_args();
    libtest_mimic::run(&arguments, common::<F>(|_| String::new()).collect()).exit_code()
}

/// Runs the suite for a kind of broker: what every kind shows, and what every broker shows.
pub fn run_broker<F: Broker>() -> ExitCode {
    let arguments = Arguments::from_args();
    let messaging = messaging::all::<F>()
        .into_iter()
        .map(|(name, body)| Trial::test(name, move || run_one::<F>(body, messaging::routes)));
    libtest_mimic::run(&arguments, common::<F>(messaging::routes).chain(messaging).collect()).exit_code()
}

/// The trials that all kinds share.
fn common<F: Fixture>(routes: fn(&F) -> String) -> impl Iterator<Item = Trial> {
    let abilities = F::abilities();
    let discovers = F::registry().discovering().next().is_some();
    trials::all::<F>().into_iter().map(move |(name, needs, body)| {
        let missing = needs.iter().copied().find(|need| !need.is_in(&abilities, discovers));
        let ignored = missing.map(|need| need.reason());
        let name = match ignored {
            Some(reason) => format!("{name} ({reason})"),
            None => name.to_owned(),
        };
        Trial::test(name, move || run_one::<F>(body, routes)).with_ignored_flag(ignored.is_some())
    })
}

fn run_one<F: Fixture>(body: trials::Body<F>, routes: fn(&F) -> String) -> Result<(), Failed> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(async {
        let fixture = F::start().await.map_err(|error| format!("the remote did not start: {error}"))?;
        let Some(fixture) = fixture else { return Ok(()) };
        let routes = routes(&fixture);
        let harness = Harness::with_routes(fixture, &routes).await?;
        body(harness).await
    })
}
