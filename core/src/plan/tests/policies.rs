//! Policies of all levels, merged for a route.

use serde_json::json;

use super::{Given, plan};

#[test]
fn a_route_has_the_policies_of_all_levels_field_by_field() {
    let yaml = "
defaults: {timeout: 9s, retry: {attempts: 5, budget: 5%}, circuit_breaker: {failures: 9}}
upstreams: {e: {echo: {}, retry: {on: [connect]}, concurrency: {limit: 3}, timeout: {attempt: 1s}}, f: {echo: {}}}
hosts:
  a.test:
    retry: {attempts: 4}
    mirror: {to: f, percentage: 5%}
    routes: [{match: /, to: e, retry: {backoff: {max: 3s}}, concurrency: {queue: 1}, mirror: {percentage: 1%}}]
";
    let plan = plan(yaml, &Given("", "")).unwrap_or_else(|report| panic!("{report}"));
    let route = &plan.effective()["hosts"]["a.test"]["routes"][0];
    assert_eq!(route["timeout"], json!({"total": "9s", "attempt": "1s"}));
    let backoff = json!({"initial": "25ms", "max": "3s", "multiplier": 2.0});
    assert_eq!(
        route["retry"],
        json!({"attempts": 4, "on": "connect", "backoff": backoff, "budget": "5%", "buffer": "64KiB"})
    );
    assert_eq!(route["circuit_breaker"]["failures"], 9);
    assert_eq!(route["concurrency"], json!({"limit": 3, "queue": 1, "wait": "1s"}));
    assert_eq!(route["mirror"], json!({"to": "f", "percentage": "1%", "buffer": "64KiB"}));
    assert_eq!(plan.effective()["hosts"]["a.test"]["retry"], json!({"attempts": 4}), "what stands there stays");
}

#[test]
fn certificates_are_asked_for_by_a_listener_where_auth_looks_at_them() {
    let yaml = "defaults: {auth: {any: [{mtls: {}}, {api_key: {keys: {a: b}}}]}}\nupstreams: {e: {echo: {}}}\n\
                routes: [{match: /a, to: e}, {match: /b, to: e}]\n";
    let report = plan(yaml, &Given("", "")).unwrap_err().to_string();
    assert_eq!(report.matches("no listener asks its clients for a certificate").count(), 1, "{report}");
    let listener = "listeners: {p: {tls: {certificate: c, private_key: k, client_ca: a}}, q: {address: '[::]:1'}}\n";
    assert!(plan(&(listener.to_owned() + yaml), &Given("", "")).is_ok());
    let wrong = yaml.replace("mtls: {}", "mtls: {fingerprint: abc}");
    let report = plan(&(listener.to_owned() + &wrong), &Given("", "")).unwrap_err().to_string();
    assert!(report.contains("`abc` is no SHA-256 in hex") && report.contains("auth.mtls"), "{report}");
}

#[test]
fn a_mirror_leads_to_a_function_that_is_there() {
    let yaml = "upstreams: {shadow: {echo: {}}}\nroutes: [{match: /, to: shadow, mirror: {to: shadwo}}]\n";
    let report = plan(yaml, &Given("", "")).unwrap_err().to_string();
    assert!(report.contains("the mirror of this destination: unknown upstream `shadwo`"), "{report}");
    assert!(report.contains("did you mean `shadow`?"), "{report}");
    let yaml =
        "defaults: {mirror: {to: e}}\nupstreams: {e: {echo: {}}}\nroutes: [{match: /, to: e, mirror: {to: ''}}]\n";
    let plan = plan(yaml, &Given("", "")).unwrap_or_else(|report| panic!("{report}"));
    assert!(plan.routes[0].destinations[0].mirror.is_none());
}

#[test]
fn what_is_wrong_with_a_policy_is_told_at_its_field() {
    for (policies, path) in [
        ("retry: {attempts: 0}", "routes[0].retry.attempts"),
        ("retry: {on: [connect, timeot]}", "routes[0].retry.on[1]"),
        ("retry: {backoff: {max: 1}}", "routes[0].retry.backoff.max"),
        ("circuit_breaker: {open: 0s}", "routes[0].circuit_breaker.open"),
        ("circuit_breaker: {ratio: 120%}", "routes[0].circuit_breaker.ratio"),
        ("concurrency: 0", "routes[0].concurrency"),
        ("concurrency: {limit: 0}", "routes[0].concurrency.limit"),
        ("timeout: {attempt: 0s}", "routes[0].timeout.attempt"),
        ("mirror: {to: e, percentage: 5}", "routes[0].mirror.percentage"),
    ] {
        let yaml = format!("upstreams: {{e: {{echo: {{}}}}}}\nroutes: [{{match: /, to: e, {policies}}}]\n");
        let report = plan(&yaml, &Given("", "")).unwrap_err();
        let [flaw] = report.flaws() else { panic!("{report}") };
        assert_eq!(flaw.path, path, "{report}");
    }
}

#[test]
fn what_is_for_calls_is_no_policy_of_what_the_gateway_answers_itself() {
    let policies = ["retry: {}", "circuit_breaker: {}", "concurrency: 3", "mirror: {to: e}"];
    let actions = ["respond: {body: {text: pong}}", "redirect: {path: /b}", "openapi: {}"];
    for action in actions {
        for policy in policies {
            let yaml = format!("upstreams: {{e: {{echo: {{}}}}}}\nroutes: [{{match: /, {action}, {policy}}}]\n");
            let report = plan(&yaml, &Given("", "")).unwrap_err();
            let [flaw] = report.flaws() else { panic!("{report}") };
            assert_eq!(flaw.path, format!("routes[0].{}", policy.split(':').next().unwrap()), "{report}");
            assert!(report.to_string().contains("does nothing here"), "{report}");
        }
        let (around, yaml) =
            (policies.join(", "), format!("upstreams: {{e: {{echo: {{}}}}}}\nroutes: [{{match: /, {action}}}]"));
        let plan = plan(&format!("defaults: {{timeout: 9s, {around}}}\n{yaml}\n"), &Given("", ""));
        let plan = plan.unwrap_or_else(|report| panic!("{report}"));
        let route = &plan.effective()["routes"][0];
        assert_eq!(route["timeout"], "9s");
        for policy in ["retry", "circuit_breaker", "concurrency", "mirror"] {
            assert!(route.get(policy).is_none(), "{route}");
        }
    }
}

#[test]
fn a_policy_that_does_nothing_on_a_route_is_refused() {
    for (rest, path) in [
        ("match: /, to: e, rate_limit: {burst: 5}", "routes[0].rate_limit"),
        ("match: /, to: e, concurrency: {queue: 3, wait: 1s}", "routes[0].concurrency"),
        ("match: /, to: e, mirror: {percentage: 5%}", "routes[0].mirror"),
        ("match: /, to: e, cors: {credentials: true}", "routes[0].cors"),
        ("match: /, to: e, cors: {origins: ['*'], credentials: true}", "routes[0].cors.credentials"),
        ("match: POST /, to: e, cache: true", "routes[0].cache"),
        ("match: /, respond: {status: 204, body: {text: hello}}", "routes[0].respond.body"),
    ] {
        let yaml = format!("upstreams: {{e: {{echo: {{}}}}}}\nroutes: [{{{rest}}}]\n");
        let report = plan(&yaml, &Given("", "")).unwrap_err();
        let [flaw] = report.flaws() else { panic!("{rest}\n{report}") };
        assert_eq!(flaw.path, path, "{report}");
        assert!(flaw.hint.is_some(), "{report}");
    }
    let collector = plan("telemetry: {}\nroutes: [{match: /, respond: {status: 204}}]\n", &Given("", "")).unwrap_err();
    assert!(collector.to_string().contains("does nothing without a collector"), "{collector}");
}

#[test]
fn a_part_of_a_policy_is_fine_where_another_level_makes_it_whole() {
    let warnings = |yaml: &str| {
        let plan = plan(yaml, &Given("", "")).unwrap_or_else(|report| panic!("{report}"));
        plan.warnings().to_string()
    };
    let whole = "defaults: {rate_limit: {shared: 'redis://a', burst: 3}, concurrency: {wait: 2s}, cors: {credentials: true}}\n\
                 upstreams: {e: {echo: {}, mirror: {to: f}}, f: {echo: {}}}\n\
                 routes:\n\
                   - {match: /a, to: e, rate_limit: {limit: 5/s}, concurrency: 3, mirror: {percentage: 5%}}\n\
                   - {match: /b, to: f, cors: {origins: ['*']}}\n\
                   - {match: /c, to: [{upstream: e, weight: 1}, {upstream: f, weight: 1}], mirror: {percentage: 5%}}\n\
                   - {match: GET /d, to: f, cache: true}\n\
                   - {match: /e, respond: {status: 204, body: none}}\n";
    assert_eq!(warnings(whole), "0 warnings");
    let part = "defaults: {rate_limit: {burst: 3}}\nupstreams: {e: {echo: {}, concurrency: {queue: 2}}}\n\
                routes: [{match: /, to: e}]\n";
    let told = warnings(part);
    assert!(told.contains("`rate_limit` does nothing: nothing is limited") && told.contains("1:12"), "{told}");
    assert!(told.contains("upstreams.e.concurrency"), "{told}");
}

#[test]
fn clients_that_nobody_finds_out_are_told() {
    for (limit, path) in [
        ("{limit: 5/s, by: principal}", "routes[0].rate_limit.by"),
        ("{limits: [{limit: 5/s}, {limit: 5/s, by: {claim: sub}}]}", "routes[0].rate_limit.limits[1].by"),
    ] {
        let yaml = |auth: &str| {
            format!("upstreams: {{e: {{echo: {{}}}}}}\nroutes: [{{match: /, to: e, rate_limit: {limit}{auth}}}]\n")
        };
        let told = plan(&yaml(""), &Given("", "")).unwrap_or_else(|report| panic!("{report}"));
        let [flaw] = told.warnings().flaws() else { panic!("{}", told.warnings()) };
        assert_eq!(flaw.path, path);
        let guarded = plan(&yaml(", auth: {api_key: {keys: {a: b}}}"), &Given("", "")).unwrap();
        assert_eq!(guarded.warnings().flaws().len(), 0, "{}", guarded.warnings());
    }
}
