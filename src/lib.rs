//! Callgate, a serverless-function-first API gateway.
//!
//! A build with kinds of one's own is a `main` of three lines:
//!
//! ```no_run
//! use std::process::ExitCode;
//!
//! fn main() -> ExitCode {
//!     callgate::run(callgate::registry()) // .with::<Redis>()
//! }
//! ```

mod access_log;
mod admin;
mod cli;
mod flaws;
mod log;
mod reload;
mod remotes;
pub mod server;
mod source;
mod telemetry;

use std::process::ExitCode;

pub use callgate_core as core;
use callgate_core::Registry;

/// A request makes some forty small allocations, all on its worker's thread: it costs a third of what the system's
/// allocator takes for them, and musl's far less than that.
#[cfg(feature = "mimalloc")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The kinds that this build brings: one for each Cargo feature, and those of the core; with the clients that policies
/// ask services by.
pub fn registry() -> Registry {
    let registry = Registry::new().with_remotes(remotes::Clients);
    #[cfg(feature = "amqp")]
    let registry = registry.with::<callgate_amqp::Amqp>().with_trigger::<callgate_amqp::AmqpTrigger>();
    #[cfg(feature = "azure")]
    let registry = registry.with::<callgate_azure::Azure>();
    #[cfg(feature = "gcf")]
    let registry = registry.with::<callgate_gcf::Gcf>();
    #[cfg(feature = "grpc")]
    let registry = registry.with::<callgate_grpc::Grpc>();
    #[cfg(feature = "lambda")]
    let registry = registry.with::<callgate_lambda::Lambda>();
    #[cfg(feature = "local")]
    let registry = registry.with::<callgate_local::Local>();
    #[cfg(feature = "nats")]
    let registry = registry.with::<callgate_nats::Nats>().with_trigger::<callgate_nats::NatsTrigger>();
    #[cfg(feature = "openfaas")]
    let registry = registry.with::<callgate_openfaas::OpenFaas>();
    #[cfg(feature = "rest")]
    let registry = registry.with::<callgate_rest::Rest>();
    #[cfg(feature = "soap")]
    let registry = registry.with::<callgate_soap::Soap>();
    registry
}

/// Runs the command line with these kinds. Exit codes: 0 fine, 1 an invalid configuration or a drain that had to
/// force, 2 a wrong command line.
#[allow(clippy::needless_pass_by_value, reason = "the call is the whole of a main: run(registry().with::<Kind>())")]
pub fn run(registry: Registry) -> ExitCode {
    server::install_tls_provider();
    cli::main(&registry)
}
