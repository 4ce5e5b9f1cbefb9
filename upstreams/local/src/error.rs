//! How the failures of a function are classified.

use std::{borrow::Cow, time::Duration};

use callgate_core::{ErrorKind, UpstreamError};
use serde::Deserialize;

/// How much of a function's own message goes to the log, in characters.
const MESSAGE_LIMIT: usize = 2000;

/// The error document of the Runtime API.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct FunctionError<'a> {
    #[serde(borrow)]
    error_type: Option<Cow<'a, str>>,
    #[serde(borrow)]
    error_message: Option<Cow<'a, str>>,
    stack_trace: serde_json::Value,
}

/// The function reported an error, at its start or in an invocation.
pub(crate) fn reported(when: &str, document: &[u8]) -> UpstreamError {
    let error: FunctionError<'_> = serde_json::from_slice(document).unwrap_or_default();
    let mut message = format!("{when}: {}", error.error_type.as_deref().unwrap_or("an error of an unknown type"));
    if let Some(text) = error.error_message.as_deref().filter(|text| !text.is_empty()) {
        message.push_str(": ");
        message.extend(text.chars().take(MESSAGE_LIMIT));
    }
    if let serde_json::Value::Array(lines) = &error.stack_trace {
        let lines = lines.iter().filter_map(serde_json::Value::as_str).flat_map(str::lines);
        for line in lines.take(20) {
            message.push_str(" | ");
            message.extend(line.trim().chars().take(200));
        }
    }
    UpstreamError::new(ErrorKind::FunctionError, message)
}

/// The process broke: it ended, could not be started, or broke the protocol.
pub(crate) fn broken(message: impl Into<Cow<'static, str>>) -> UpstreamError {
    UpstreamError::new(ErrorKind::FunctionError, message)
}

/// The invocation, or the start of the process, took too long.
pub(crate) fn timed_out(message: impl Into<Cow<'static, str>>) -> UpstreamError {
    UpstreamError::new(ErrorKind::Timeout, message)
}

/// All processes are busy and the queue is full.
pub(crate) fn busy() -> UpstreamError {
    UpstreamError::new(ErrorKind::Unavailable, "all processes of the function are busy and its queue is full")
        .not_executed()
        .with_retry_after(Duration::from_secs(1))
}

/// The upstream is closed.
pub(crate) fn closed() -> UpstreamError {
    UpstreamError::new(ErrorKind::Unavailable, "the function's processes have been stopped")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_tells_type_message_and_place() {
        let error = reported(
            "the function failed",
            br#"{"errorType": "ValueError", "errorMessage": "bad \"x\"", "stackTrace": ["  File \"a.py\", line 1\n"]}"#,
        );
        assert_eq!(error.message(), "the function failed: ValueError: bad \"x\" | File \"a.py\", line 1");
        assert_eq!(error.kind(), ErrorKind::FunctionError);
        assert_eq!(error.detail(), None);
    }

    #[test]
    fn a_report_without_a_document_is_still_an_error() {
        let error = reported("the function failed", b"no json");
        assert_eq!(error.message(), "the function failed: an error of an unknown type");
    }
}
