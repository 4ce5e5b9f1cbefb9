//! The command line.

mod answer;
mod check;
mod completions;
mod config;
mod describe;
mod discover;
mod explain;
mod files;
mod health;
mod import;
mod init;
mod load;
mod message;
mod new;
mod progress;
mod reference;
mod render;
mod run;
mod test;

use std::process::ExitCode;

use callgate_core::{Registry, plan::schema};
use clap::{Parser, Subcommand, error::ErrorKind};
use serde_json::json;

pub(crate) use explain::{table as route_table, to_json as routes_to_json};

use crate::{log::LogFormat, source::Place};
use answer::{Answer, Output, USAGE};

/// A serverless-function-first API gateway.
#[derive(Debug, Parser)]
#[command(name = "callgate", version, about, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serves a configuration: a YAML file, a folder of them, or a bucket of NATS: `nats://HOST/BUCKET`.
    Run {
        /// The configuration.
        config: Place,
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
        config: Place,
        /// Also connects the upstreams, asks whether they are ready, and binds every function.
        #[arg(long)]
        connect: bool,
        #[command(flatten)]
        output: Output,
    },
    /// Prints the configuration in force: defaults filled in, secrets masked.
    Config {
        /// The configuration.
        config: Place,
        #[command(flatten)]
        output: Output,
    },
    /// Prints the routes in the order in which they are tried.
    Routes {
        /// The configuration.
        config: Place,
        #[command(flatten)]
        output: Output,
    },
    /// Says which route serves a request, why, and what its function would get.
    Explain {
        /// The configuration.
        config: Place,
        /// The request's method.
        method: String,
        /// The request's URL, or its path and query.
        url: String,
        /// A header of the request: `name: value`.
        #[arg(short = 'H', long = "header", value_name = "NAME: VALUE")]
        headers: Vec<String>,
        #[command(flatten)]
        output: Output,
    },
    /// Prints what the upstream would receive of a request and, with a reply, what the client would get.
    Render {
        /// The configuration.
        config: Place,
        #[command(flatten)]
        attempt: render::Arguments,
        #[command(flatten)]
        output: Output,
    },
    /// Runs the tests that a configuration brings with it; needs no network.
    Test {
        /// The configuration.
        config: Place,
        /// Runs only the tests with this text in their name, or in the name of their route.
        #[arg(long, value_name = "TEXT")]
        filter: Option<String>,
        #[command(flatten)]
        output: Output,
    },
    /// Asks an upstream which functions it has, and prints them as a `functions` block for it.
    Discover {
        /// The configuration.
        config: Place,
        /// The upstream's name.
        upstream: String,
        #[command(flatten)]
        output: Output,
    },
    /// Prints what a function takes and gives, as JSON Schema, with an example.
    Describe {
        /// The configuration.
        config: Place,
        /// The function, as a route names it: `upstream/function`.
        function: String,
        #[command(flatten)]
        output: Output,
    },
    /// Prints the JSON Schema of the configuration, for editors.
    Schema {
        /// Prints the same for people: a reference of every field, in Markdown.
        #[arg(long)]
        markdown: bool,
    },
    /// Lists the kinds of upstream, and the sources of triggers.
    Kinds {
        #[command(flatten)]
        output: Output,
    },
    /// Writes a first configuration, which is valid and runs as it is.
    Init(init::Arguments),
    /// Makes a configuration of one that another gateway has, and says what has no counterpart.
    Import {
        #[command(flatten)]
        asked: import::Arguments,
        #[command(flatten)]
        output: Output,
    },
    /// Writes the beginning of something that is built on Callgate.
    #[command(subcommand)]
    New(new::Beginning),
    /// Asks a gateway that runs whether it wants traffic: the exit code is 0, or 1 where it does not.
    Health {
        #[command(flatten)]
        asked: health::Arguments,
        #[command(flatten)]
        output: Output,
    },
    /// Prints a script by which a shell completes the command line.
    #[command(after_help = completions::PLACES)]
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
}

/// Runs the command line that the process was started with.
pub(crate) fn main(registry: &Registry) -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let usage = !matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
            if usage && answer::asks_for_json(std::env::args_os()) {
                let told = error.render().to_string();
                let told = told.strip_prefix("error: ").unwrap_or(&told).trim_end();
                return Output::JSON.print(Err(answer::Failed::Usage(told.to_owned())));
            }
            return match error.print() {
                Ok(()) if !usage => ExitCode::SUCCESS,
                _ => ExitCode::from(USAGE),
            };
        }
    };
    let text = |done: Result<String, answer::Failed>| {
        (Output::default(), done.map(|text| Answer::new(text, serde_json::Value::Null)))
    };
    let (output, done) = match cli.command {
        Command::Run { config, workers, log, log_format } => {
            return run::run(&config, registry, workers, &log, log_format);
        }
        Command::Check { config, connect, output } => (output, check::check(&config, registry, connect)),
        Command::Config { config, output } => (output, config::config(&config, registry)),
        Command::Routes { config, output } => (output, explain::routes(&config, registry)),
        Command::Explain { config, method, url, headers, output } => {
            (output, explain::explain(&config, registry, &method, &url, &headers))
        }
        Command::Render { config, attempt, output } => (output, render::render(&config, registry, &attempt)),
        Command::Test { config, filter, output } => (output, test::test(&config, registry, filter.as_deref())),
        Command::Discover { config, upstream, output } => (output, discover::discover(&config, registry, &upstream)),
        Command::Describe { config, function, output } => (output, describe::describe(&config, registry, &function)),
        Command::Kinds { output } => (output, Ok(kinds(registry))),
        Command::Import { asked, output } => (output, import::import(&asked, registry)),
        Command::Health { asked, output } => (output, health::health(&asked)),
        Command::Schema { markdown: false } => text(Ok(format!("{:#}", schema(registry)))),
        Command::Schema { markdown: true } => text(Ok(reference::markdown(&schema(registry)))),
        Command::Init(asked) => text(init::init(&asked, registry)),
        Command::New(asked) => text(new::new(&asked, registry)),
        Command::Completions { shell } => text(completions::completions(shell)),
    };
    output.print(done)
}

/// The kinds of upstream, and of sources of messages where there are any.
fn kinds(registry: &Registry) -> Answer {
    let line = |(name, summary): (&str, &str)| format!("{name:<10} {summary}\n");
    let upstreams: String = registry.kinds().map(line).collect();
    let sources: String = registry.triggers().map(line).collect();
    let text = if sources.is_empty() { upstreams } else { format!("{upstreams}\nSources of triggers:\n\n{sources}") };
    let told = |(name, summary): (&str, &str)| json!({"name": name, "summary": summary});
    let (upstreams, triggers): (Vec<_>, Vec<_>) =
        (registry.kinds().map(told).collect(), registry.triggers().map(told).collect());
    Answer::new(text, json!({"upstreams": upstreams, "triggers": triggers}))
}
