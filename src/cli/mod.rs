//! The command line.

mod check;
mod config;
mod describe;
mod discover;
mod explain;
mod load;
mod message;
mod render;
mod run;
mod test;

use std::{
    fmt::Display,
    io::{self, Write},
    path::PathBuf,
    process::ExitCode,
};

use callgate_core::{Registry, plan::schema};
use clap::{Parser, Subcommand, error::ErrorKind};

pub(crate) use explain::table as route_table;

use crate::log::LogFormat;

/// The configuration is invalid, or the gateway could not end cleanly.
const FAILED: u8 = 1;
/// The command line is wrong.
const USAGE: u8 = 2;

/// A serverless-function-first API gateway.
#[derive(Debug, Parser)]
#[command(name = "callgate", version, about, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serves a configuration: a YAML file, or a folder of them.
    Run {
        /// The configuration.
        config: PathBuf,
        /// How many workers serve, each on a core of its own. Default: one for each core.
        #[arg(long)]
        workers: Option<std::num::NonZeroUsize>,
        /// What is logged, like `info,callgate::access=info`; the access log is off by default, and so is what libraries
        /// repeat.
        #[arg(
            long,
            env = "CALLGATE_LOG",
            default_value = "info,callgate::access=off,async_nats=warn,lapin=off",
            value_name = "FILTER"
        )]
        log: String,
        /// How log lines look. Default: text on a terminal, else json.
        #[arg(long, value_enum)]
        log_format: Option<LogFormat>,
    },
    /// Says everything that is wrong with a configuration; needs no network.
    Check {
        /// The configuration.
        config: PathBuf,
        /// Also connects the upstreams, asks whether they are ready, and binds every function.
        #[arg(long)]
        connect: bool,
    },
    /// Prints the configuration in force: defaults filled in, secrets masked.
    Config {
        /// The configuration.
        config: PathBuf,
    },
    /// Prints the routes in the order in which they are tried.
    Routes {
        /// The configuration.
        config: PathBuf,
    },
    /// Says which route serves a request, why, and what its function would get.
    Explain {
        /// The configuration.
        config: PathBuf,
        /// The request's method.
        method: String,
        /// The request's URL, or its path and query.
        url: String,
        /// A header of the request: `name: value`.
        #[arg(short = 'H', long = "header", value_name = "NAME: VALUE")]
        headers: Vec<String>,
    },
    /// Prints what the upstream would receive of a request and, with a reply, what the client would get.
    Render {
        /// The configuration.
        config: PathBuf,
        #[command(flatten)]
        attempt: render::Arguments,
    },
    /// Runs the tests that a configuration brings with it; needs no network.
    Test {
        /// The configuration.
        config: PathBuf,
        /// Runs only the tests with this text in their name, or in the name of their route.
        #[arg(long, value_name = "TEXT")]
        filter: Option<String>,
    },
    /// Asks an upstream which functions it has, and prints them as a `functions` block for it.
    Discover {
        /// The configuration.
        config: PathBuf,
        /// The upstream's name.
        upstream: String,
    },
    /// Prints what a function takes and gives, as JSON Schema, with an example.
    Describe {
        /// The configuration.
        config: PathBuf,
        /// The function, as a route names it: `upstream/function`.
        function: String,
    },
    /// Prints the JSON Schema of the configuration, for editors.
    Schema,
    /// Lists the kinds of upstream, and the sources of triggers.
    Kinds,
}

/// Runs the command line that the process was started with.
pub(crate) fn main(registry: &Registry) -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let usage = !matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
            return match error.print() {
                Ok(()) if !usage => ExitCode::SUCCESS,
                _ => ExitCode::from(USAGE),
            };
        }
    };
    let done = match cli.command {
        Command::Run { config, workers, log, log_format } => {
            return run::run(&config, registry, workers, &log, log_format);
        }
        Command::Check { config, connect } => check::check(&config, registry, connect),
        Command::Config { config } => config::config(&config, registry),
        Command::Routes { config } => explain::routes(&config, registry),
        Command::Explain { config, method, url, headers } => {
            explain::explain(&config, registry, &method, &url, &headers)
        }
        Command::Render { config, attempt } => render::render(&config, registry, &attempt),
        Command::Test { config, filter } => test::test(&config, registry, filter.as_deref()),
        Command::Discover { config, upstream } => discover::discover(&config, registry, &upstream),
        Command::Describe { config, function } => describe::describe(&config, registry, &function),
        Command::Schema => Ok(format!("{:#}", schema(registry))),
        Command::Kinds => Ok(kinds(registry)),
    };
    match done {
        Ok(text) => print(&text),
        Err(Failed::Tests(text)) => {
            print(&text);
            ExitCode::from(FAILED)
        }
        Err(Failed::Invalid(text)) => fail(text, FAILED),
        Err(Failed::Usage(text)) => fail(text, USAGE),
    }
}

/// The kinds of upstream, and of sources of messages where there are any.
fn kinds(registry: &Registry) -> String {
    let line = |(name, summary): (&str, &str)| format!("{name:<10} {summary}\n");
    let upstreams: String = registry.kinds().map(line).collect();
    let sources: String = registry.triggers().map(line).collect();
    if sources.is_empty() { upstreams } else { format!("{upstreams}\nSources of triggers:\n\n{sources}") }
}

/// Why a command did not do what it was asked.
#[derive(Debug)]
enum Failed {
    /// The configuration is invalid.
    Invalid(String),
    /// Tests failed; their report is what was asked for.
    Tests(String),
    /// An argument is wrong, or names what can't do what is asked.
    Usage(String),
}

/// Prints to standard output. A reader that went away (`| head`) is no failure.
fn print(text: &str) -> ExitCode {
    match writeln!(io::stdout().lock(), "{}", text.trim_end()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => ExitCode::from(FAILED),
        _ => ExitCode::SUCCESS,
    }
}

/// Prints to standard error.
fn fail(text: impl Display, code: u8) -> ExitCode {
    // Nothing is left to be done where even this fails.
    writeln!(io::stderr().lock(), "{}", text.to_string().trim_end()).ok();
    ExitCode::from(code)
}
