#![doc = include_str!("../README.md")]
#![allow(clippy::print_stderr, reason = "a command says what it does")]

mod broker;
mod consumer;
mod endpoints;
mod functions;
mod gateway;
mod hostile;
mod jetstream;
mod kind;
mod load;
mod open_loop;
mod options;
mod publish;
mod rabbitmq;
mod reload;
mod reloads;
mod report;
mod service;
mod source;
mod steady;
mod triggers;
mod work_queue;

use std::process::ExitCode;

use options::{Command, Options};

/// Why nothing could be measured.
type Problem = Box<dyn std::error::Error + Send + Sync>;

#[tokio::main]
async fn main() -> ExitCode {
    let options = match Options::read(std::env::args().skip(1)) {
        Ok(options) => options,
        Err(wrong) => {
            eprintln!("{wrong}");
            return ExitCode::from(2);
        }
    };
    let measured = match options.command {
        Command::Publish => publish::run(&options).await,
        Command::Triggers => triggers::run(&options).await,
        Command::Endpoints | Command::Together => endpoints::run(&options).await,
        Command::Serve(port) => endpoints::serve(port).await.map(|()| true),
        Command::Reload => reload::run(&options).await,
        Command::Hostile => hostile::run(&options).await,
    };
    match measured {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(problem) => {
            eprintln!("{problem}");
            ExitCode::FAILURE
        }
    }
}
