//! The results of the tests, for people.

use std::fmt;

use super::Difference;
use crate::plan::Rendered;

/// The answer of [`Plan::test`](crate::plan::Plan::test); displays as one line for each test, and what differs.
#[derive(Debug)]
pub struct TestReport {
    /// The tests that ran, in the order of the document, those of routes first.
    pub results: Vec<TestResult>,
    pub(super) filter: Option<String>,
}

/// What became of a test.
#[derive(Debug)]
pub struct TestResult {
    /// Its name, after the name of the route it stands on.
    pub name: String,
    /// Where it stands: `callgate.yaml:4:7`.
    pub place: String,
    /// What is not as expected.
    pub differences: Vec<Difference>,
    /// What explains it.
    pub(super) reason: Vec<String>,
}

impl TestReport {
    /// Whether every test passed.
    pub fn passed(&self) -> bool {
        self.results.iter().all(TestResult::passed)
    }
}

impl TestResult {
    /// What explains that something is not as expected: how the gateway itself answers, or why no route was found.
    pub fn reasons(&self) -> &[String] {
        &self.reason
    }

    /// Whether all is as expected.
    pub fn passed(&self) -> bool {
        self.differences.is_empty()
    }
}

impl Rendered {
    /// What explains that something is not as expected.
    pub(super) fn reasons(&self) -> Vec<String> {
        let candidates = self.candidates.iter().filter(|_| self.route.is_none());
        let candidates = candidates.map(|passed| format!("the route {}: {}", passed.route, passed.verdict));
        self.failure.clone().into_iter().chain(candidates).collect()
    }
}

impl fmt::Display for TestReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.results.is_empty() {
            return match &self.filter {
                Some(filter) => {
                    writeln!(f, "nothing was tested: no test has `{filter}` in its name, or in the name of its route")
                }
                None => writeln!(
                    f,
                    "nothing was tested: there are no tests (write `tests:` beside a route's `match`, or at the top level)"
                ),
            };
        }
        for result in &self.results {
            if result.passed() {
                writeln!(f, "ok      {}", result.name)?;
                continue;
            }
            writeln!(f, "FAILED  {} ({})", result.name, result.place)?;
            result.differences.iter().try_for_each(|difference| difference.fmt(f))?;
            result.reason.iter().try_for_each(|reason| writeln!(f, "  {reason}"))?;
        }
        let count = self.results.len();
        let failed = self.results.iter().filter(|result| !result.passed()).count();
        let plural = if count == 1 { "" } else { "s" };
        match failed {
            0 => writeln!(f, "\n{count} test{plural} passed"),
            _ => writeln!(f, "\n{count} test{plural}: {} passed, {failed} failed", count - failed),
        }
    }
}
