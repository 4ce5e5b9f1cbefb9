use std::{io, path::PathBuf, process::ExitStatus, time::Duration};

/// Why a peer could not be started or prepared.
#[derive(Debug, thiserror::Error)]
pub enum PeerError {
    /// What the peer consists of is not installed. Only this one may be answered with [`absent`](super::absent).
    #[error("{what} is not installed: {path} does not exist; run ./tests/run, which installs it", path = path.display())]
    Missing {
        /// The peer, as people call it.
        what: &'static str,
        /// Where it was looked for.
        path: PathBuf,
    },
    /// A folder, a file or a process could not be made.
    #[error("cannot {action}: {source}")]
    Io {
        /// What was tried, as an infinitive.
        action: String,
        /// What the system answered.
        source: io::Error,
    },
    /// The process ended before it was ready.
    #[error("{name} ended with {status} before it was ready; the end of its log:\n{log}")]
    Ended {
        /// The process, as people call it.
        name: String,
        /// How it ended.
        status: ExitStatus,
        /// The last lines that it wrote.
        log: String,
    },
    /// The process runs but was not ready in time.
    #[error("{name} was not ready within {limit:?}; the end of its log:\n{log}")]
    NotReady {
        /// The process, as people call it.
        name: String,
        /// How long it was waited for.
        limit: Duration,
        /// The last lines that it wrote.
        log: String,
    },
    /// A script that prepares a peer failed.
    #[error("{script} {command} failed: {message}")]
    Script {
        /// The script's file name.
        script: String,
        /// Its command.
        command: String,
        /// What it wrote to standard error.
        message: String,
    },
    /// A peer or a script answered with something that cannot be understood.
    #[error("{what} answered {answer:?}, which is not {expected}")]
    Answer {
        /// Who answered.
        what: String,
        /// The answer, cut to a readable length.
        answer: String,
        /// What would have been right.
        expected: &'static str,
    },
}

impl PeerError {
    pub(crate) fn io(action: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let action = action.into();
        move |source| Self::Io { action, source }
    }
}
