//! `callgate test`.

use callgate_core::{
    Registry,
    plan::{Difference, TestReport, TestResult},
};

use serde_json::{Value, json};

use super::{
    answer::{Answer, Failed, masked},
    load,
};
use crate::source::Place;

pub(super) fn test(config: &Place, registry: &Registry, filter: Option<&str>) -> Result<Answer, Failed> {
    let plan = load::plan(config, registry)?;
    let report = plan.test(filter);
    if report.results.is_empty() {
        // A filter with a typing error must not look like a success.
        return Err(Failed::Impossible(plan.masked(report.to_string().trim_end())));
    }
    let answer = Answer::new(plan.masked(&report.to_string()), masked(&plan, to_json(&report)));
    if report.passed() { Ok(answer) } else { Err(Failed::Tests(answer)) }
}

fn to_json(report: &TestReport) -> Value {
    let difference = |difference: &Difference| {
        let Difference { field, expected, got } = difference;
        json!({"field": field, "expected": expected, "got": got})
    };
    let result = |result: &TestResult| {
        let differences: Vec<_> = result.differences.iter().map(difference).collect();
        json!({
            "name": result.name,
            "at": result.place,
            "passed": result.passed(),
            "differences": differences,
            "reasons": result.reasons(),
        })
    };
    let results: Vec<_> = report.results.iter().map(result).collect();
    json!({"passed": report.passed(), "tests": results})
}
