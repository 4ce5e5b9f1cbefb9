//! `callgate render`.

use std::{
    io::Read,
    num::NonZeroUsize,
    path::{Path, PathBuf},
};

use callgate_core::{
    Registry,
    plan::{Attempt, Outcome},
};
use clap::{Args, builder::PossibleValuesParser};

use super::{
    answer::{Answer, Failed, masked},
    load, message,
};
use crate::source::Place;

/// What is tried.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The route's name. Default: the route that the gateway finds.
    #[arg(long, value_name = "NAME")]
    route: Option<String>,
    /// The request: a file with an HTTP message, or `-` for standard input. `GET /path` alone is one.
    #[arg(long, value_name = "FILE")]
    request: PathBuf,
    /// The function's reply: a file with an HTTP message. `200` alone is one.
    #[arg(long, value_name = "FILE")]
    reply: Option<PathBuf>,
    /// The failure of the call, in place of a reply.
    #[arg(long, value_name = "CODE", conflicts_with = "reply", value_parser = PossibleValuesParser::new(Outcome::codes()))]
    error: Option<String>,
    /// Which destination of a weighted route, counted from 1.
    #[arg(long, value_name = "N", default_value = "1")]
    destination: NonZeroUsize,
}

pub(super) fn render(config: &Place, registry: &Registry, arguments: &Arguments) -> Result<Answer, Failed> {
    let plan = load::plan(config, registry)?;
    let request = parsed(&arguments.request, message::request)?;
    let outcome = match (&arguments.reply, &arguments.error) {
        (Some(file), _) => Some(Outcome::Reply(parsed(file, message::reply)?)),
        (None, Some(code)) => Outcome::error(code),
        (None, None) => None,
    };
    let attempt = Attempt {
        route: arguments.route.as_deref(),
        destination: arguments.destination.get() - 1,
        outcome: outcome.as_ref(),
        ..Attempt::default()
    };
    let rendered = plan.render(request, &attempt).map_err(|error| Failed::Impossible(error.to_string()))?;
    Ok(Answer::new(plan.masked(&rendered.to_string()), masked(&plan, rendered.to_json())))
}

/// Reads a file and makes a message of it.
fn parsed<T>(file: &Path, parse: fn(&[u8]) -> Result<T, message::Malformed>) -> Result<T, Failed> {
    let shown = file.display();
    let mut bytes = Vec::new();
    let read = if file == Path::new("-") {
        std::io::stdin().lock().read_to_end(&mut bytes).map(drop)
    } else {
        std::fs::read(file).map(|read| bytes = read)
    };
    read.map_err(|error| Failed::Usage(format!("{shown} can't be read: {error}{}", hint(file))))?;
    parse(&bytes).map_err(|error| Failed::Usage(format!("{shown}: {error}")))
}

/// What was meant by a name that is no file but the text of a message.
fn hint(file: &Path) -> String {
    let text = file.to_string_lossy();
    if text.parse::<u16>().is_err() && !text.contains(' ') {
        return String::new();
    }
    format!(
        " (it is the name of a file; give the message itself by standard input: `echo '{text}' | callgate render ... -`)"
    )
}
