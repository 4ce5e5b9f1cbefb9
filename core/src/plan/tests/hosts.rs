//! What stands on a host, and which requests it is for.

use super::{Given, plan};

const UPSTREAMS: &str = "upstreams: {e: {echo: {}}}\n";

#[test]
fn what_stands_on_a_host_without_routes_is_refused() {
    for (host, field) in [
        ("auth: {api_key: {keys: {shop: k}}}", "auth"),
        ("timeout: 3s, routes: []", "timeout"),
        ("routes: , request: {headers: {set: {x: y}}}", "request"),
    ] {
        let yaml = format!("{UPSTREAMS}routes: [{{match: /a, to: e}}]\nhosts: {{a.test: {{{host}}}}}\n");
        let report = plan(&yaml, &Given("", "")).unwrap_err();
        let [flaw] = report.flaws() else { panic!("{report}") };
        assert_eq!(flaw.path, format!("hosts[\"a.test\"].{field}"), "{report}");
        assert_eq!(flaw.message, format!("`{field}` does nothing here: the host has no routes"));
        assert!(flaw.hint.as_ref().unwrap().contains("put routes here"), "{report}");
    }
    let empty = format!("{UPSTREAMS}routes: [{{match: /a, to: e}}]\nhosts: {{a.test: {{routes: []}}}}\n");
    assert!(plan(&empty, &Given("", "")).is_ok());
}

#[test]
fn a_hosts_auth_that_top_level_routes_go_around_is_told() {
    let told = |defaults: &str, top: &str, own: &str| {
        let yaml = format!(
            "{UPSTREAMS}defaults: {{{defaults}}}\nroutes: [{{match: /a, to: e{top}}}]\nhosts:\n  a.test:\n    \
             auth: {{api_key: {{keys: {{shop: k}}}}}}\n    routes: [{{match: '{own}', to: e}}]\n"
        );
        let plan = plan(&yaml, &Given("", "")).unwrap_or_else(|report| panic!("{report}"));
        plan.warnings().to_string()
    };
    let warning = told("", "", "/b");
    assert!(warning.contains("requests of `a.test` that none of its routes takes"), "{warning}");
    assert!(warning.contains("callgate.yaml:6:5") && warning.contains("`auth: none` for nothing"), "{warning}");
    for (defaults, top, own) in
        [("auth: {api_key: {keys: {shop: k}}}", "", "/b"), ("", ", auth: none", "/b"), ("", "", "/{*rest}")]
    {
        assert_eq!(told(defaults, top, own), "0 warnings", "{defaults} {top} {own}");
    }
    assert!(told("", "", "GET /{*rest}").contains("a.test"), "other methods go on to the top-level routes");
}
