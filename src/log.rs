//! The log: whole sentences with structured fields, on standard error.

use std::io::{self, IsTerminal};

use tracing_subscriber::{EnvFilter, filter::ParseError, fmt, layer::SubscriberExt, util::SubscriberInitExt};

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum LogFormat {
    /// For people: one coloured line each.
    Text,
    /// For machines: one JSON object per line, its fields at the top level.
    Json,
}

/// Why there is no log.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LogError {
    /// The filter is malformed.
    #[error(
        "the log filter `{filter}` is invalid: {source}; write a level (error, warn, info, debug, trace, off), or targets with levels like info,callgate::access=off"
    )]
    Filter { filter: String, source: ParseError },
    /// A log is running already.
    #[error("the log was started twice: {0}")]
    Started(#[from] tracing_subscriber::util::TryInitError),
}

/// Starts the process's log. Without a format it is text on a terminal and JSON elsewhere.
///
/// # Errors
/// A malformed filter; a log that runs already.
pub(crate) fn start(filter: &str, format: Option<LogFormat>) -> Result<(), LogError> {
    let filter = EnvFilter::try_new(filter).map_err(|source| LogError::Filter { filter: filter.to_owned(), source })?;
    let terminal = io::stderr().is_terminal();
    let default = if terminal { LogFormat::Text } else { LogFormat::Json };
    let registry = tracing_subscriber::registry().with(filter);
    let lines = fmt::layer().with_writer(io::stderr);
    match format.unwrap_or(default) {
        LogFormat::Text => registry.with(lines.with_ansi(terminal)).try_init()?,
        LogFormat::Json => registry.with(lines.json().flatten_event(true)).try_init()?,
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_malformed_filter_says_how_one_is_written() {
        let error = start("info,callgate::access=loud", None).unwrap_err().to_string();
        assert!(error.contains("`info,callgate::access=loud`"), "{error}");
        assert!(error.contains("write a level"), "{error}");
    }
}
