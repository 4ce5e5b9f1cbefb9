//! What every source of messages has to do alike, against a real one.

mod functions;
mod scene;
mod trials;

use std::{future::Future, pin::Pin, process::ExitCode};

use callgate_core::Registry;
use libtest_mimic::{Arguments, Failed, Trial};

/// What a kind of source of triggers brings to the suite. What a source holds has to outlive its process.
pub trait Source: Sized + Send + 'static {
    /// A registry with the kind among its triggers.
    fn registry() -> Registry;

    /// Starts the source with nothing in it, or says why it can't be and returns nothing.
    fn start() -> impl Future<Output = Result<Option<Self>, String>> + Send;

    /// The source's settings in a trigger, in one line of YAML: `nats: {servers: ..., stream: ORDERS, consumer: gateway}`.
    fn trigger(&self) -> String;

    /// Puts a message with this payload into it.
    fn put(&mut self, payload: &str) -> impl Future<Output = Result<(), String>> + Send;

    /// How many messages it has that were not acknowledged, those included that a gateway has at the moment.
    fn left(&mut self) -> impl Future<Output = Result<usize, String>> + Send;

    /// Kills its process.
    fn kill(&mut self) -> impl Future<Output = ()> + Send;

    /// Starts it again where it was, with what it had.
    fn restart(&mut self) -> impl Future<Output = Result<(), String>> + Send;
}

type Body<F> = fn(F) -> Pin<Box<dyn Future<Output = Result<(), Failed>>>>;

/// Runs the suite for a kind of source that keeps a message until it is acknowledged, as the command line of a test binary
/// says.
pub fn run_source<F: Source>() -> ExitCode {
    let trials = trials::all::<F>().into_iter().map(|(name, body)| Trial::test(name, move || run_one(body)));
    libtest_mimic::run(&Arguments::from_args(), trials.collect()).exit_code()
}

fn run_one<F: Source>(body: Body<F>) -> Result<(), Failed> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(async {
        let source = F::start().await.map_err(|error| format!("the source did not start: {error}"))?;
        match source {
            Some(source) => body(source).await,
            None => Ok(()),
        }
    })
}
