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
//! [`run_broker`]. A kind of source of triggers implements [`Source`], and its test calls [`run_source`].

mod fixture;
mod harness;
mod messaging;
mod source;
mod trials;

use std::{panic, process::ExitCode};

use libtest_mimic::{Arguments, Failed, Trial};

pub use fixture::{Abilities, Fixture, Remote};
pub use harness::{Answer, Client, Harness};
pub use messaging::{Broker, Place, RemoteReply, Taken, remote_function};
pub use source::{Source, run_source};

/// Runs the suite for a kind, as the command line of a test binary says.
pub fn run<F: Fixture>() -> ExitCode {
    conclude::<F>(common::<F>(|_| String::new()).collect())
}

/// Runs the suite for a kind of broker: what every kind shows, and what every broker shows.
pub fn run_broker<F: Broker>() -> ExitCode {
    let messaging = messaging::all::<F>().into_iter().map(|(name, body)| Planned::<F> {
        name: name.to_owned(),
        ignored: false,
        body,
        routes: messaging::routes,
    });
    conclude::<F>(common::<F>(messaging::routes).chain(messaging).collect())
}

/// A trial that is to run.
struct Planned<F> {
    name: String,
    ignored: bool,
    body: trials::Body<F>,
    routes: fn(&F) -> String,
}

/// The trials that all kinds share.
fn common<F: Fixture>(routes: fn(&F) -> String) -> impl Iterator<Item = Planned<F>> {
    let abilities = F::abilities();
    let discovers = F::registry().discovering().next().is_some();
    trials::all::<F>().into_iter().map(move |(name, needs, body)| {
        let missing = needs.iter().copied().find(|need| !need.is_in(&abilities, discovers));
        let ignored = missing.map(|need| need.reason());
        let name = match ignored {
            Some(reason) => format!("{name} ({reason})"),
            None => name.to_owned(),
        };
        Planned { name, ignored: ignored.is_some(), body, routes }
    })
}

fn conclude<F: Fixture>(planned: Vec<Planned<F>>) -> ExitCode {
    let arguments = Arguments::from_args();
    let (ignored, run): (Vec<_>, Vec<_>) = planned.into_iter().partition(|trial| trial.ignored);
    let mut trials: Vec<_> =
        ignored.into_iter().map(|trial| Trial::test(trial.name, || Ok(())).with_ignored_flag(true)).collect();
    if F::SHARES_REMOTE {
        // A test runner may give each test a process of its own, which would be a remote of its own.
        trials.push(Trial::test("one_remote", move || in_turn(run)));
    } else {
        trials.extend(
            run.into_iter().map(|trial| Trial::test(trial.name, move || run_one::<F>(trial.body, trial.routes))),
        );
    }
    libtest_mimic::run(&arguments, trials).exit_code()
}

/// Runs the trials one after the other, and says of each what came of it.
#[expect(clippy::print_stderr, reason = "it is the report of a test")]
fn in_turn<F: Fixture>(planned: Vec<Planned<F>>) -> Result<(), Failed> {
    let mut failed = Vec::new();
    for Planned { name, body, routes, .. } in planned {
        let outcome = panic::catch_unwind(|| run_one::<F>(body, routes));
        let problem = match outcome {
            Ok(Ok(())) => None,
            Ok(Err(failure)) => Some(failure.message().unwrap_or("it failed").to_owned()),
            Err(_) => Some("it panicked".to_owned()),
        };
        eprintln!("{name} ... {}", problem.as_deref().unwrap_or("ok"));
        failed.extend(problem.map(|problem| format!("{name}: {problem}")));
    }
    if failed.is_empty() { Ok(()) } else { Err(failed.join("\n").into()) }
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
