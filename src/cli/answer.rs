//! What a command found out, for people and for scripts.

use std::{
    ffi::OsString,
    fmt::{self, Display},
    io::{self, Write},
    process::ExitCode,
};

use callgate_core::{document::Report, plan::Plan};
use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use crate::flaws;

/// The configuration is invalid, or the gateway could not end cleanly.
pub(super) const FAILED: u8 = 1;
/// The command line is wrong.
pub(super) const USAGE: u8 = 2;

/// How a command prints what it found out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people.
    #[default]
    Text,
    /// For scripts: one JSON document on standard output, also of a failure.
    Json,
}

/// The option of the commands whose output scripts read.
#[derive(Debug, Clone, Copy, Default, Args)]
pub(super) struct Output {
    /// How the answer, or why there is none, is printed.
    #[arg(long = "output", value_enum, default_value_t, value_name = "FORMAT")]
    format: Format,
}

/// What a command found out.
#[derive(Debug)]
pub(super) struct Answer {
    text: String,
    json: Value,
}

/// Why a command did not do what it was asked.
#[derive(Debug)]
pub(super) enum Failed {
    /// The configuration is invalid.
    Invalid(Report),
    /// What was asked for can't be done here and now.
    Impossible(String),
    /// Something of the configuration is not ready: an answer that is a failure.
    Unready(Answer),
    /// Tests failed; their report is what was asked for.
    Tests(Answer),
    /// An argument is wrong, or names what can't do what is asked.
    Usage(String),
}

impl Answer {
    pub(super) fn new(text: impl Into<String>, json: Value) -> Self {
        Self { text: text.into(), json }
    }
}

impl Failed {
    pub(super) const fn code(&self) -> u8 {
        if matches!(self, Self::Usage(_)) { USAGE } else { FAILED }
    }

    /// `{"error": {"code", "message", "flaws"}}`; of an answer that is a failure the answer itself.
    fn into_json(self) -> Value {
        let error = |code: &str, message: String| json!({"error": {"code": code, "message": message}});
        match self {
            Self::Invalid(report) => {
                let mut told = error("invalid_configuration", report.to_string());
                told["error"]["flaws"] = flaws::to_json(&report);
                told
            }
            Self::Impossible(message) => error("failed", message),
            Self::Usage(message) => error("usage", message),
            Self::Unready(answer) | Self::Tests(answer) => answer.json,
        }
    }
}

/// For people. A report has a beginning of its own.
impl Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Invalid(report) => report.fmt(f),
            Self::Impossible(message) | Self::Usage(message) => write!(f, "error: {message}"),
            Self::Unready(answer) | Self::Tests(answer) => f.write_str(&answer.text),
        }
    }
}

/// Whether a command line that can't be read asks for JSON, wherever in it.
pub(super) fn asks_for_json(arguments: impl Iterator<Item = OsString>) -> bool {
    let mut before = OsString::new();
    for argument in arguments {
        if argument == "--" {
            return false;
        }
        if argument == "--output=json" || (before == "--output" && argument == "json") {
            return true;
        }
        before = argument;
    }
    false
}

impl Output {
    /// For scripts.
    pub(super) const JSON: Self = Self { format: Format::Json };

    /// Prints what came of a command. In JSON it is one document on standard output, whatever came of it.
    pub(super) fn print(self, done: Result<Answer, Failed>) -> ExitCode {
        match (done, self.format) {
            (Ok(answer), Format::Text) => print(&answer.text),
            (Ok(answer), Format::Json) => print(&format!("{:#}", answer.json)),
            (Err(Failed::Tests(answer)), Format::Text) => {
                print(&answer.text);
                ExitCode::from(FAILED)
            }
            (Err(failed), Format::Text) => fail(&failed, failed.code()),
            (Err(failed), Format::Json) => {
                let code = failed.code();
                print(&format!("{:#}", failed.into_json()));
                ExitCode::from(code)
            }
        }
    }
}

/// Prints to standard output. A reader that went away (`| head`) is no failure.
pub(super) fn print(text: &str) -> ExitCode {
    match writeln!(io::stdout().lock(), "{}", text.trim_end()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => ExitCode::from(FAILED),
        _ => ExitCode::SUCCESS,
    }
}

/// Prints to standard error.
pub(super) fn fail(text: impl Display, code: u8) -> ExitCode {
    // Nothing is left to be done where even this fails.
    writeln!(io::stderr().lock(), "{}", text.to_string().trim_end()).ok();
    ExitCode::from(code)
}

/// The same without the values that the document's references gave.
pub(super) fn masked(plan: &Plan, value: Value) -> Value {
    match value {
        Value::String(text) => plan.masked(&text).into(),
        Value::Array(items) => items.into_iter().map(|item| masked(plan, item)).collect(),
        Value::Object(fields) => {
            Value::Object(fields.into_iter().map(|(name, value)| (name, masked(plan, value))).collect())
        }
        other => other,
    }
}
