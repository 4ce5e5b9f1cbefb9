//! What is wrong with a configuration, for programs.

use callgate_core::document::{Flaw, Report};
use serde_json::{Value, json};

/// The flaws of a report in its order, each an object: `severity` (`error` or `warning`), `message`, `at`
/// (`callgate.yaml:4:14`), the same as `file`, `line` and `column`, `path` (`routes[3].to`) and `hint`. What is not known is
/// null.
pub(crate) fn to_json(report: &Report) -> Value {
    let shown = |flaw: &Flaw| {
        let place = |number: u32| (flaw.at.line > 0).then_some(number);
        json!({
            "severity": if flaw.is_error() { "error" } else { "warning" },
            "message": flaw.message,
            "at": report.sources().name(flaw.at.source).map(|_| report.sources().place(flaw.at)),
            "file": report.sources().name(flaw.at.source),
            "line": place(flaw.at.line),
            "column": place(flaw.at.column),
            "path": flaw.path,
            "hint": flaw.hint,
        })
    };
    report.flaws().iter().map(shown).collect()
}
