//! What is wrong with triggers is told at its place, all at once.

use super::stage::plan;

fn report(yaml: &str) -> String {
    plan(yaml).0.expect_err("it is wrong")
}

#[test]
fn everything_is_told_at_once() {
    let report = report(
        "triggers:\n  a: {box: {stage: STAGE}, to: g/work, rate: fast, concurrency: 0, retry: {on: [timeot], backoff: {initial: 5m}}}\n  \
         b: {boxx: {}, to: f/work}\n  c: {to: f/work, two: 1}\n  d: {box: {stage: STAGE, stge: 1}, to: f/work, dead_letter: {}}\n  \
         e: {box: {stage: STAGE}, retry: {attempts: 3}}\n",
    );
    for said in [
        "triggers.a.rate",
        "100/s",
        "triggers.a.concurrency",
        "triggers.a.to",
        "unknown upstream `g`",
        "did you mean `timeout`?",
        "`boxx` is no source of messages",
        "did you mean `box`?",
        "a trigger needs a source",
        "unknown field `stge`",
        "the dead letter goes nowhere",
        "nothing is done with the messages of `e`",
        "unknown field `two`",
        "after the last try there is no place",
    ] {
        assert!(report.contains(said), "{said}: {report}");
    }
}

#[test]
fn a_backoff_is_checked_where_the_rest_is_right() {
    let report = report("triggers: {a: {box: {stage: STAGE}, to: f/w, retry: {backoff: {initial: 5m}}}}");
    assert!(report.contains("shorter than the first one") && report.contains("retry.backoff.max"), "{report}");
}

#[test]
fn a_route_is_named_once_and_gets_a_path() {
    let routes = "routes:\n  - {name: open, match: '/a/{id}', to: f/w}\n  - {name: plain, match: GET /b, to: f/w}\n  - {match: /c, to: f/w}\n";
    let with = |trigger: &str| {
        let source = "box: {stage: STAGE}, dead_letter: {to: f/dead}";
        plan(&format!("{routes}triggers: {{a: {{{source}, {trigger}}}}}")).0
    };
    assert!(with("to: {route: plain}").is_ok() && with("to: {route: /c}").is_ok());
    assert!(with("to: {route: open}, request: {path: '/a/{{ body.id }}'}").is_ok());
    let report = with("to: {route: open}").unwrap_err();
    assert!(report.contains("makes no path") && report.contains("/a/{{ body.id }}"), "{report}");
    assert!(with("to: {route: plian}").unwrap_err().contains("did you mean `plain`?"));
    assert!(with("to: {route: plain, weight: 3}").unwrap_err().contains("unknown field `weight`"));
    assert!(with("to: {route: plain}, timeout: 3s").unwrap_err().contains("set it on the route"));
}

#[test]
fn a_trigger_without_a_dead_letter_is_warned_of_and_the_effective_document_has_all() {
    let warned = plan("triggers: {a: {box: {stage: STAGE}, to: f/w}}").0.unwrap();
    assert!(warned.warnings().to_string().contains("tried for ever"));
    assert!(warned.summary().ends_with(", 0 routes, 1 trigger"), "{}", warned.summary());
    let plan = plan(
        "triggers: {a: {box: {stage: STAGE}, to: [{upstream: f, function: v, weight: 3}, {upstream: f, function: w}], dead_letter: {to: f/dead}}}",
    );
    let plan = plan.0.unwrap();
    assert!(plan.warnings().is_empty(), "{}", plan.warnings());
    let trigger = &plan.effective()["triggers"]["a"];
    assert_eq!((&trigger["concurrency"], &trigger["retry"]["attempts"]), (&8.into(), &5.into()), "{trigger:#}");
    assert_eq!((&trigger["to"][0]["weight"], &trigger["dead_letter"]["to"]["name"]), (&3.into(), &"dead".into()));
    assert_eq!((&trigger["retry"]["backoff"]["max"], &trigger["timeout"]["head"]), (&"1m".into(), &"30s".into()));
}
