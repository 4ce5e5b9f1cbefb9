//! `callgate discover`, and what discovery says when a configuration is checked and served.

use callgate_testkit::peers::OpenFaas;
use tokio::runtime::Runtime;

use super::{callgate, configured, on, ran, serving::Running};

/// A stand-in of OpenFaaS that runs beside the binary, on threads of its own.
fn faas() -> (Runtime, OpenFaas) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("threads");
    let faas = runtime.block_on(OpenFaas::start()).expect("a port");
    (runtime, faas)
}

/// A configuration with an upstream `faas` there, its `discover`, and a route to each function.
fn configuration(url: &str, discover: &str, functions: &[&str]) -> String {
    let mut yaml = format!(
        "listeners: {{public: {{address: '127.0.0.1:0'}}}}\nshutdown: {{lame_duck: 0s}}\nupstreams:\n  faas:\n    openfaas: {{url: '{url}', credentials: {{basic: {{password: '{}'}}}}}}\n    discover: {discover}\nroutes:\n",
        OpenFaas::PASSWORD
    );
    for function in functions {
        yaml.push_str(&format!("  - {{match: /{function}, to: faas/{function}}}\n"));
    }
    yaml
}

#[test]
fn the_functions_are_printed_as_a_block_that_check_accepts() {
    let (_runtime, faas) = faas();
    let yaml = configuration(&faas.url(), "{include: [s*, mirror], exclude: [steps]}", &["mirror"]);
    let folder = configured(&yaml);
    let printed = on(folder.path(), &["discover"], &["faas"]);
    assert_eq!(printed.code, Some(0), "{}", printed.err);
    insta::assert_snapshot!("discover", printed.out);
    let block = printed.out.trim_end().replace('\n', "\n    ");
    let pasted = configured(&yaml.replace("    discover:", &format!("    {block}\n    discover:")));
    let checked = on(pasted.path(), &["check"], &[]);
    assert_eq!(checked.code, Some(0), "{}", checked.err);
}

#[test]
fn the_effective_document_has_the_defaults_of_discovery_and_is_valid() {
    let folder = configured(&configuration("http://faas.test", "true", &["mirror"]));
    let printed = on(folder.path(), &["config"], &[]);
    assert!(printed.out.contains("    discover:\n      every: 1m\n"), "{}{}", printed.out, printed.err);
    let again = on(configured(&printed.out).path(), &["config"], &[]);
    assert_eq!(again.out, printed.out, "{}", again.err);
}

#[test]
fn the_schema_has_discover_for_the_kinds_that_can() {
    let printed = ran(&mut callgate(&["schema"]));
    let schema: serde_json::Value = serde_json::from_str(&printed.out).expect("JSON");
    let has = |kind: &str| {
        let shapes = schema["$defs"]["Upstream"]["oneOf"].as_array().expect("one shape for each kind");
        let shape = shapes.iter().find(|shape| shape["required"][0] == kind).expect("the kind");
        shape["properties"].get("discover").is_some()
    };
    assert!(has("openfaas") && !has("echo"), "{schema:#}");
}

#[test]
fn a_remote_that_does_not_tell_is_a_failure_with_its_reason() {
    let folder = configured(&configuration("http://127.0.0.1:1", "false", &[]).replace("routes:\n", "routes: []\n"));
    let failed = on(folder.path(), &["discover"], &["faas"]);
    assert_eq!((failed.code, failed.out.as_str()), (Some(1), ""));
    assert!(failed.err.contains("upstream `faas` can't be listed: no connection to 127.0.0.1:1"), "{}", failed.err);
    assert!(!failed.err.contains(OpenFaas::PASSWORD), "{}", failed.err);
}

#[test]
fn check_with_connect_fails_on_a_route_to_a_function_that_is_not_there() {
    let (_runtime, faas) = faas();
    let folder = configured(&configuration(&faas.url(), "true", &["mirror", "miror"]));
    let failed = on(folder.path(), &["check"], &["--connect"]);
    assert_eq!(failed.code, Some(1), "{}", failed.out);
    for says in ["no function `miror`", "callgate.yaml:9:", "routes[1].to", "did you mean `mirror`?", "faas is ready"] {
        assert!(failed.err.contains(says), "{says} is not in {}", failed.err);
    }
    let folder = configured(&configuration(&faas.url(), "true", &["mirror"]));
    let checked = on(folder.path(), &["check"], &["--connect"]);
    assert_eq!(checked.code, Some(0), "{}", checked.err);
    assert!(checked.out.contains("upstream faas lists 14 functions"), "{}", checked.out);
}

#[test]
fn the_log_tells_what_is_missing_what_came_and_what_went() {
    let (_runtime, faas) = faas();
    let folder = configured(&configuration(&faas.url(), "{every: 1s}", &["mirror", "orders"]));
    let mut running = Running::start(folder.path(), &[]);
    let message = |line: &serde_json::Value, text: &str| line["message"].as_str().is_some_and(|found| found == text);
    let missing = "Routes name a function that is not there.";
    let line = running.line(missing, |line| message(line, missing));
    assert_eq!(
        (&line["level"], &line["function"], &line["routes"]),
        (&"WARN".into(), &"orders".into(), &"/orders".into())
    );
    assert_eq!(line["upstream"], "faas");
    faas.deploy(OpenFaas::NAMESPACE, "orders");
    faas.remove(OpenFaas::NAMESPACE, "mirror");
    let changed = "The functions of an upstream changed.";
    running.line("of what came", |line| message(line, changed) && line["came"] == "orders");
    running.line("of what went", |line| message(line, changed) && line["went"] == "mirror");
    running.line("of what is missing now", |line| message(line, missing) && line["function"] == "mirror");
    running.signal("-TERM");
    assert_eq!(running.ended(), Some(0));
}

#[test]
fn a_remote_that_is_down_is_a_line_of_the_log_and_no_failure() {
    let folder = configured(&configuration("http://127.0.0.1:1", "true", &["mirror"]));
    let mut running = Running::start(folder.path(), &[]);
    let text = "The functions of an upstream can't be listed.";
    let line = running.line(text, |line| line["message"] == text);
    assert_eq!((&line["level"], &line["upstream"]), (&"WARN".into(), &"faas".into()));
    assert!(line["error"].as_str().is_some_and(|error| error.contains("127.0.0.1:1")), "{line}");
    running.line("that it serves", |line| line["message"] == "Listening.");
}

#[test]
fn an_upstream_that_is_not_there_is_a_usage_error_with_the_nearest() {
    let folder = configured("upstreams: {orders: {echo: {}}}\nroutes: []\n");
    let failed = on(folder.path(), &["discover"], &["ordres"]);
    assert_eq!(failed.code, Some(2), "{}", failed.out);
    assert!(
        failed.err.contains("no upstream `ordres`") && failed.err.contains("did you mean `orders`?"),
        "{}",
        failed.err
    );
}

#[test]
fn a_kind_that_lists_nothing_is_a_usage_error() {
    let folder = configured("upstreams: {orders: {echo: {}}}\nroutes: []\n");
    let failed = on(folder.path(), &["discover"], &["orders"]);
    assert_eq!(failed.code, Some(2), "{}", failed.out);
    assert!(failed.err.contains("`orders` is of the kind `echo`, which can't list its functions"), "{}", failed.err);
}

#[test]
fn an_invalid_configuration_is_told_as_by_check() {
    let folder = configured("upstreams: {orders: {echo: {}, discover: true}}\nroutes: []\n");
    for command in ["check", "discover"] {
        let failed = on(folder.path(), &[command], if command == "check" { &[] } else { &["orders"] });
        assert_eq!(failed.code, Some(1), "{}", failed.out);
        assert!(failed.err.contains("the kind `echo` can't list its functions"), "{}", failed.err);
        assert!(
            failed.err.contains("callgate.yaml:1:") && failed.err.contains("upstreams.orders.discover"),
            "{}",
            failed.err
        );
    }
    let usage = ran(&mut callgate(&["discover", "callgate.yaml"]));
    assert_eq!(usage.code, Some(2), "the upstream is missing");
}
