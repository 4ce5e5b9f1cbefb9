//! The log: whole sentences with structured fields, on standard error.

mod flush;
mod lines;

use std::{
    backtrace::{Backtrace, BacktraceStatus},
    io::{self, IsTerminal},
    panic,
    sync::{Arc, Mutex, PoisonError},
    thread,
};

use tracing_subscriber::{
    EnvFilter, Registry, filter::ParseError, fmt, layer::SubscriberExt, reload, util::SubscriberInitExt,
};

pub(crate) use flush::flush;
use lines::Lines;

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum LogFormat {
    /// For people: one coloured line each.
    Text,
    /// For machines: one JSON object per line, its fields at the top level.
    Json,
}

/// Why there is no log, or not the one that was asked for.
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
    /// The system gives no thread for it.
    #[error("the log can't be written: {0}")]
    Thread(#[from] io::Error),
    /// The process ends.
    #[error("the log has ended: {0}")]
    Ended(#[from] reload::Error),
}

/// A log that runs. Clones change the same one.
#[derive(Debug, Clone)]
pub(crate) struct Log {
    filter: reload::Handle<EnvFilter, Registry>,
    initial: Arc<str>,
    current: Arc<Mutex<String>>,
    /// Where its lines go, once it is started.
    lines: Option<Lines>,
}

impl Log {
    /// What the process was started with.
    pub(crate) fn initial(&self) -> &str {
        &self.initial
    }

    /// How many lines could not be written.
    pub(crate) fn lost(&self) -> u64 {
        self.lines.as_ref().map_or(0, Lines::lost)
    }

    /// Waits until what was logged so far is written, two seconds at most. It blocks: for the end of the process.
    pub(crate) fn flush(&self) {
        if let Some(lines) = &self.lines {
            lines.flush();
        }
    }

    /// What is logged now.
    pub(crate) fn current(&self) -> String {
        self.current.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Changes what is logged.
    ///
    /// # Errors
    /// A malformed filter.
    pub(crate) fn set(&self, filter: &str) -> Result<(), LogError> {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        self.filter.reload(parse(filter)?)?;
        filter.clone_into(&mut current);
        Ok(())
    }
}

fn parse(filter: &str) -> Result<EnvFilter, LogError> {
    EnvFilter::try_new(filter).map_err(|source| LogError::Filter { filter: filter.to_owned(), source })
}

/// A log that is not started: for tests of what changes one.
#[cfg(test)]
pub(crate) fn unstarted(filter: &str) -> (Log, reload::Layer<EnvFilter, Registry>) {
    prepared(filter).unwrap()
}

fn prepared(filter: &str) -> Result<(Log, reload::Layer<EnvFilter, Registry>), LogError> {
    let (layer, handle) = reload::Layer::new(parse(filter)?);
    let current = Arc::new(Mutex::new(filter.to_owned()));
    let log = Log { filter: handle, initial: filter.into(), current, lines: None };
    Ok((log, layer))
}

/// Starts the process's log. Without a format it is text on a terminal and JSON elsewhere.
///
/// # Errors
/// A malformed filter; a log that runs already.
pub(crate) fn start(filter: &str, format: Option<LogFormat>) -> Result<Log, LogError> {
    let (mut log, filter) = prepared(filter)?;
    let terminal = io::stderr().is_terminal();
    let default = if terminal { LogFormat::Text } else { LogFormat::Json };
    let registry = tracing_subscriber::registry().with(filter);
    let to = log.lines.insert(Lines::to(io::stderr())?).clone();
    let lines = fmt::layer().with_writer(to);
    match format.unwrap_or(default) {
        LogFormat::Text => registry.with(lines.with_ansi(terminal)).try_init()?,
        LogFormat::Json => registry.with(lines.json().flatten_event(true)).try_init()?,
    }
    log_panics(log.clone());
    Ok(log)
}

/// A panic is a line of the log as any other: it holds up nobody where standard error takes nothing.
fn log_panics(log: Log) {
    panic::set_hook(Box::new(move |panic| {
        let thread = thread::current();
        let name = thread.name().unwrap_or_default();
        let at = panic.location().map(ToString::to_string);
        let trace = Backtrace::capture();
        let backtrace = (trace.status() == BacktraceStatus::Captured).then(|| trace.to_string());
        let what = panic.payload_as_str().unwrap_or_default();
        tracing::error!(thread = name, at, backtrace, "A defect of the gateway: {what}");
        if name == "main" {
            // The process ends by it.
            log.flush();
        }
    }));
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

    #[test]
    fn a_malformed_filter_leaves_the_one_in_force() {
        let (log, _layer) = unstarted("info");
        log.set("debug").unwrap();
        assert!(log.set("callgate=loud").is_err());
        assert_eq!((log.current().as_str(), log.initial()), ("debug", "info"));
    }
}
