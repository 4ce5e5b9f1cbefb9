//! What is wrong is told at its character, with the whole path to it.

use http::Request;

use super::{Given, plan, rendered};

/// Line and column of the only place where a text stands.
fn place(yaml: &str, part: &str) -> (u32, u32) {
    let before = &yaml[..yaml.find(part).unwrap_or_else(|| panic!("no {part} in {yaml}"))];
    assert_eq!(yaml.matches(part).count(), 1, "{part} in {yaml}");
    let column = before.rsplit('\n').next().unwrap_or("").chars().count() + 1;
    (u32::try_from(before.matches('\n').count()).unwrap() + 1, u32::try_from(column).unwrap())
}

#[test]
fn a_flaw_of_a_step_names_its_field_and_its_character() {
    for (steps, wrong, path) in [
        (r#"request: {headers: {set: {x-user: "é {{ nope }}"}}}"#, "nope", "request.headers.set.x-user"),
        (
            r#"request: [{when: "true"}, {headers: {append: {x: [a, "{{ path | uper }}"]}}}]"#,
            "uper",
            "request[1].headers.append.x[1]",
        ),
        ("request:\n      - body: {text: 'it''s {{ nope }}'}", "nope", "request[0].body.text"),
        (
            "request:\n      body:\n        json:\n          a:\n            - b: >-\n                one\n                {{ nope }} two",
            "nope",
            "request.body.json.a[0].b",
        ),
        ("request: {body: {xml: \"<a>\\n{{ nope }}</a>\"}}", "nope", "request.body.xml"),
        ("request: {body: {form: {a: \"{{ nope }}\"}}}", "nope", "request.body.form.a"),
        ("request: {when: methd == 'GET'}", "methd", "request.when"),
        ("request: {path: \"/a/{{ nope }}\"}", "nope", "request.path"),
        ("request: {query: {set: {a: \"{{ nope }}\"}}}", "nope", "request.query.set.a"),
        ("request: {extract: {a: {header: x, regex: (}}}", "(", "request.extract.a.regex"),
        ("request: {extract: {a: {header: x, default: \"{{ nope }}\"}}}", "nope", "request.extract.a.default"),
        ("response: {status: \"{{ nope }}\"}", "nope", "response.status"),
        ("response: {headers: {remove: [a, \"b c\"]}}", "\"b c\"", "response.headers.remove[1]"),
        ("request: {body: {text: \"${GIVEN} {{ nope }}\"}}", "nope", "request.body.text"),
        ("request: {body: {text: \"$${x} {{ nope }}\"}}", "nope", "request.body.text"),
    ] {
        let yaml = format!("upstreams: {{e: {{echo: {{}}}}}}\nroutes:\n  - match: /\n    to: e\n    {steps}\n");
        let report = plan(&yaml, &Given("GIVEN", "a value")).unwrap_err();
        let [flaw] = report.flaws() else { panic!("{report}") };
        assert_eq!(((flaw.at.line, flaw.at.column), &*flaw.path), (place(&yaml, wrong), &*format!("routes[0].{path}")));
    }
}

#[test]
fn a_wrong_field_of_a_route_hides_no_other() {
    let yaml = "upstreams: {e: {echo: {}}}\nroutes:\n  - match: /\n    timeout: 0s\n    nmae: x\n    to: f/x\n    request: {path: \"/a/{{ nope }}\"}\n";
    let report = plan(yaml, &Given("", "")).unwrap_err();
    let mut lines: Vec<_> = report.flaws().iter().map(|flaw| flaw.at.line).collect();
    lines.sort_unstable();
    assert_eq!(lines, [4, 5, 6, 7], "{report}");
}

#[test]
fn a_flaw_of_other_levels_names_its_field_too() {
    for (yaml, path) in [
        (
            "upstreams: {e: {echo: {}, request: {path: \"/a{{ nope }}\"}}}\nroutes: [{match: /, to: e}]",
            "upstreams.e.request.path",
        ),
        (
            "upstreams: {e: {echo: {}, functions: {f: {response: [{status: \"{{ nope }}\"}]}}}}\nroutes: [{match: /, to: e}]",
            "upstreams.e.functions.f.response[0].status",
        ),
        (
            "hosts: {a.test: {request: {when: nope}, routes: [{match: /, respond: {status: 200}}]}}",
            "hosts[\"a.test\"].request.when",
        ),
        (
            "upstreams: {e: {echo: {}}}\nroutes: [{match: /, to: [{upstream: e, request: {when: nope}}]}]",
            "routes[0].to[0].request.when",
        ),
        ("routes: [{match: /, respond: {body: {text: \"{{ nope }}\"}}}]", "routes[0].respond.body.text"),
        ("routes: [{match: /, redirect: {path: \"/{{ nope }}\"}}]", "routes[0].redirect.path"),
        ("routes: [{match: /, redirect: {url: \"https://a.test/{{ nope }}\"}}]", "routes[0].redirect.url"),
    ] {
        let report = plan(yaml, &Given("", "")).unwrap_err();
        let [flaw] = report.flaws() else { panic!("{report}") };
        assert_eq!(((flaw.at.line, flaw.at.column), &*flaw.path), (place(yaml, "nope"), path));
    }
}

#[test]
fn a_flaw_of_a_match_points_at_its_field() {
    for (matcher, wrong, path) in [
        ("{path_regex: \"/v[12\"}", "\"/v[12\"", "path_regex"),
        ("{path: /a/{b}c}", "/a/{b}c", "path"),
        ("{path: /a, methods: [GET, post]}", "post", "methods[1]"),
        ("{path: /a, methods: []}", "[]", "methods"),
        ("{path: /a, headers: {\"a b\": x}}", "\"a b\"", "headers"),
        ("{path: /a, headers: {accept: {regex: \"(json\"}}}", "\"(json\"", "headers.accept.regex"),
        ("{path: /a, query: {q: {regex: \"(json\"}}}", "\"(json\"", "query.q.regex"),
    ] {
        let yaml = format!(
            "routes:\n  - match: {}\n    respond: {{status: 200}}\n",
            matcher.replace("/a/{b}c", "\"/a/{b}c\"")
        );
        let wrong = wrong.replace("/a/{b}c", "\"/a/{b}c\"");
        let report = plan(&yaml, &Given("", "")).unwrap_err();
        let [flaw] = report.flaws() else { panic!("{report}") };
        let found = ((flaw.at.line, flaw.at.column), &*flaw.path);
        // `match: {methods: []}` has a second pair of brackets nowhere.
        assert_eq!(found, (place(&yaml, &wrong), &*format!("routes[0].match.{path}")));
    }
}

#[test]
fn an_undefined_value_is_told_at_its_character() {
    for (step, wrong) in [
        ("headers: {set: {x: \"a {{ method }} {{ headers.nope }}\"}}", "headers.nope"),
        ("headers: {set: {x: \"{{ headers.nope | upper }}\"}}", "headers.nope"),
        ("headers: {set: {x: \"{% if true %}{{ vars.nope }}{% endif %}\"}}", "vars.nope"),
        ("body: {json: {a: [\"{{ query.nope }}\"]}}", "query.nope"),
        ("body:\n        text: |\n          one\n            {{ method }}{{ query.nope }}", "query.nope"),
        ("when: method == 'GET' and query.nope == 1", "query.nope"),
        ("path: \"/a/{{ query.nope }}\"", "query.nope"),
    ] {
        let yaml =
            format!("upstreams: {{e: {{echo: {{}}}}}}\nroutes:\n  - match: /\n    to: e\n    request:\n      {step}\n");
        let (line, column) = place(&yaml, wrong);
        let shown = rendered(&yaml, &Given("", ""), Request::get("/").header("host", "a.test").body("").unwrap());
        let place = format!("callgate.yaml:{line}:{column}");
        assert!(shown.contains("bad_template_input") && shown.contains(&place), "{place} for\n{yaml}\n{shown}");
    }
}

#[test]
fn what_an_alias_repeats_is_told_where_it_is_written() {
    let yaml = "upstreams:\n  a: {echo: {}, request: {headers: {set: {x: &x \"a {{ nope }}\"}}}}\n  b: {echo: {}, request: {headers: {set: {x: *x}}}}\nroutes: [{match: /, to: a}]\n";
    let report = plan(yaml, &Given("", "")).unwrap_err();
    assert!(report.flaws().iter().all(|flaw| (flaw.at.line, flaw.at.column) == place(yaml, "nope")), "{report}");
}

#[test]
fn what_is_easily_mistaken_for_a_capture_is_told() {
    for (given, hint) in [
        ("GET /api/*", "a capture is written `/api/{*rest}`"),
        ("/x/:id/y", "a capture is written `/x/{id}/y`"),
        ("/*/y", "a capture is written `/{name}/y`"),
    ] {
        let yaml = format!("routes: [{{match: '{given}', respond: {{status: 204}}}}]\n");
        let plan = super::plan(&yaml, &super::Given("", "")).unwrap_or_else(|report| panic!("{report}"));
        let [flaw] = plan.warnings().flaws() else { panic!("{given}: {}", plan.warnings()) };
        assert_eq!((flaw.path.as_str(), flaw.hint.as_deref()), ("routes[0].match", Some(hint)));
    }
    for (regex, told) in [("v[12]/.*", true), ("^a/b", true), ("/v[12]/.*", false), ("a?/b", false), ("a|/b", false)] {
        let yaml = format!("routes: [{{match: {{path_regex: '{regex}'}}, respond: {{status: 204}}}}]\n");
        let plan = super::plan(&yaml, &super::Given("", "")).unwrap_or_else(|report| panic!("{report}"));
        assert_eq!(plan.warnings().to_string().contains("matches no path"), told, "{regex}: {}", plan.warnings());
    }
}

#[test]
fn an_address_that_another_one_covers_is_told() {
    let route = "routes: [{match: /, respond: {status: 204}}]\n";
    let yaml =
        format!("listeners: {{public: {{address: '0.0.0.0:8001'}}}}\nadmin: {{address: '127.0.0.1:8001'}}\n{route}");
    let report = super::plan(&yaml, &super::Given("", "")).unwrap_err().to_string();
    assert!(report.contains("127.0.0.1:8001 can't be listened at beside 0.0.0.0:8001"), "{report}");
    let yaml = format!("listeners: {{a: {{address: '[::]:8001'}}, b: {{address: '127.0.0.1:8001'}}}}\n{route}");
    let report = super::plan(&yaml, &super::Given("", "")).unwrap_err().to_string();
    assert!(report.contains("`a` and `b` can't both listen"), "{report}");
}

#[test]
fn an_admin_for_everyone_is_told() {
    let warned = |admin: &str| {
        let yaml = format!("admin: {{{admin}}}\nroutes: [{{match: /, respond: {{status: 204}}}}]\n");
        let plan = super::plan(&yaml, &super::Given("T", "token")).unwrap_or_else(|report| panic!("{report}"));
        plan.warnings().to_string().contains("is an operator")
    };
    assert!(warned("address: '0.0.0.0:9901'"));
    for fine in ["address: '0.0.0.0:9901', token: '${T}'", "address: '127.0.0.1:9901'", "address: 'unix:a.sock'"] {
        assert!(!warned(fine), "{fine}");
    }
}
