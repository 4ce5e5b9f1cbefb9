//! What caused a reload, and what came of it.

use std::{
    fmt, io,
    path::PathBuf,
    time::{Duration, SystemTime},
};

use callgate_core::{Changes, document::Report};
use serde_json::{Value, json};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use crate::{flaws, server::ListenerChanges};

/// A reload, or the attempt of one.
#[derive(Debug)]
pub(crate) struct Reload {
    /// When it began.
    pub(crate) at: SystemTime,
    /// How long it took.
    pub(crate) took: Duration,
    pub(crate) cause: Cause,
    /// Which state of its bucket was read, where the configuration is in one.
    pub(crate) revision: Option<u64>,
    pub(crate) outcome: Outcome,
}

/// What caused a reload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Cause {
    /// These files changed.
    Files(Vec<PathBuf>),
    /// The bucket changed that the configuration is in.
    Bucket,
    /// SIGHUP.
    Signal,
    /// The admin was asked to.
    Request,
}

/// What came of a reload.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// The configuration is in force.
    Reloaded(Box<Reloaded>),
    /// The configuration is wrong; the former one stays in force.
    Invalid(Report),
    /// The configuration can't be put in force here and now; the former one stays.
    Impossible(String),
    /// It ended by a defect of Callgate; the former configuration stays in force.
    Broken,
}

const BROKEN: &str = "it ended unexpectedly; the log has its panic";

/// What a reload changed.
#[derive(Debug)]
pub(crate) struct Reloaded {
    /// What the configuration holds, in a few words.
    pub(crate) summary: String,
    pub(crate) changes: Changes,
    pub(crate) listeners: ListenerChanges,
    /// Settings that have changed and take effect when the gateway is started again.
    pub(crate) needs_restart: Vec<&'static str>,
    /// What deserves attention.
    pub(crate) warnings: Report,
}

impl Reload {
    /// One that ended by a defect.
    pub(super) fn broken(at: SystemTime, took: Duration, cause: Cause) -> Self {
        Self { at, took, cause, revision: None, outcome: Outcome::Broken }
    }

    /// One that the system had no thread for.
    pub(super) fn impossible(at: SystemTime, took: Duration, cause: Cause, error: &io::Error) -> Self {
        let outcome = Outcome::Impossible(format!("the system gives no thread to reload on: {error}"));
        Self { at, took, cause, revision: None, outcome }
    }

    /// For programs: `outcome`, `at`, `took_ms`, `cause`, `revision` where there is one, and what changed or what is wrong.
    pub(crate) fn to_json(&self) -> Value {
        let mut told = json!({
            "outcome": self.outcome.name(),
            "at": rfc3339(self.at),
            "took_ms": u64::try_from(self.took.as_millis()).unwrap_or(u64::MAX),
            "cause": self.cause.name(),
        });
        if let Cause::Files(files) = &self.cause {
            told["files"] = files.iter().map(|file| file.display().to_string()).collect();
        }
        if let Some(revision) = self.revision {
            told["revision"] = revision.into();
        }
        match &self.outcome {
            Outcome::Reloaded(reloaded) => {
                told["summary"] = reloaded.summary.as_str().into();
                told["upstreams"] = json!(reloaded.changes.upstreams);
                told["triggers"] = json!(reloaded.changes.triggers);
                told["listeners"] = json!(reloaded.listeners);
                told["needs_restart"] = json!(reloaded.needs_restart);
                told["warnings"] = flaws::to_json(&reloaded.warnings);
            }
            Outcome::Invalid(report) => {
                told["flaws"] = flaws::to_json(report);
                told["report"] = report.brief().to_string().into();
            }
            Outcome::Broken => told["report"] = BROKEN.into(),
            Outcome::Impossible(reason) => told["report"] = reason.as_str().into(),
        }
        told
    }
}

/// For people.
impl fmt::Display for Reload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.outcome {
            Outcome::Reloaded(reloaded) => reloaded.fmt(f),
            Outcome::Invalid(report) => write!(f, "{}\nThe former configuration stays in force.", report.brief()),
            Outcome::Broken => write!(f, "error: {BROKEN}\nThe former configuration stays in force."),
            Outcome::Impossible(reason) => write!(f, "error: {reason}\nThe former configuration stays in force."),
        }
    }
}

impl fmt::Display for Reloaded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "Reloaded: {}", self.summary)?;
        let (upstreams, triggers) = (&self.changes.upstreams, &self.changes.triggers);
        let lines = [
            ("upstreams reused", &upstreams.reused),
            ("upstreams opened", &upstreams.opened),
            ("upstreams closed", &upstreams.closed),
            ("triggers reused", &triggers.reused),
            ("triggers opened", &triggers.opened),
            ("triggers closed", &triggers.closed),
            ("listeners added", &self.listeners.added),
            ("listeners removed", &self.listeners.removed),
        ];
        for (what, names) in lines.iter().filter(|(_, names)| !names.is_empty()) {
            writeln!(f, "{what}: {}", names.join(", "))?;
        }
        if !self.needs_restart.is_empty() {
            writeln!(f, "takes effect at a restart: {}", self.needs_restart.join(", "))?;
        }
        if self.warnings.is_empty() { Ok(()) } else { write!(f, "{}", self.warnings.brief()) }
    }
}

impl Cause {
    /// `files`, `bucket`, `signal` or `request`.
    pub(crate) const fn name(&self) -> &'static str {
        match self {
            Self::Files(_) => "files",
            Self::Bucket => "bucket",
            Self::Signal => "signal",
            Self::Request => "request",
        }
    }
}

impl Outcome {
    /// `reloaded`, `invalid`, `impossible` or `broken`.
    pub(crate) const fn name(&self) -> &'static str {
        match self {
            Self::Reloaded(_) => "reloaded",
            Self::Invalid(_) => "invalid",
            Self::Impossible(_) => "impossible",
            Self::Broken => "broken",
        }
    }

    /// Whether the configuration is in force.
    pub(crate) const fn succeeded(&self) -> bool {
        matches!(self, Self::Reloaded(_))
    }
}

fn rfc3339(at: SystemTime) -> String {
    OffsetDateTime::from(at).format(&Rfc3339).unwrap_or_default()
}
