//! What a reference gives is text, whatever it holds.

use http::Request;

use super::{Given, plan, rendered};

fn sent(step: &str, secret: &str) -> String {
    let yaml = format!("upstreams: {{e: {{echo: {{}}}}}}\nroutes:\n  - match: /\n    to: e\n    request: {step}\n");
    rendered(&yaml, &Given("SECRET", secret), Request::get("/").header("host", "a.test").body("").unwrap())
}

#[test]
fn a_reference_is_no_template_whatever_it_gives() {
    for secret in [
        "{{ method }}",
        "a{% raw %}b",
        "{# c",
        "'",
        "\"",
        "\\",
        "}}",
        "{",
        "x'\" ~ method ~ \"'{{",
        "%}{% endraw %}{{ 1 }}",
    ] {
        for step in [
            "{headers: {set: {x: \"${SECRET}\"}}}",
            "{headers: {set: {x: \"{{ '${SECRET}' }}\"}}}",
            "{headers: {set: {x: '{{ \"${SECRET}\" }}'}}}",
            "{headers: {set: {x: \"{% if true %}${SECRET}{% endif %}\"}}}",
            "{headers: {set: {x: \"{{ '' }}${SECRET}{{ '' }}\"}}}",
            "{headers: {set: {x: \"{% raw %}${SECRET}{% endraw %}\"}}}",
            "{when: \"'${SECRET}' != ''\", headers: {set: {x: \"${SECRET}\"}}}",
        ] {
            let shown = sent(step, secret);
            assert!(shown.contains(&format!("\n  x: {secret}\n")), "{secret} in {step}\n{shown}");
        }
        let shown =
            sent("{body: {json: {a: \"${SECRET}\", b: \"{{ '${SECRET}' }}\", c: \"{{ method }}${SECRET}\"}}}", secret);
        let json = serde_json::json!({"a": secret, "b": secret, "c": format!("GET{secret}")});
        assert!(shown.contains(&json.to_string()), "{json}\n{shown}");
    }
}

#[test]
fn braces_of_text_and_reference_make_no_tag_together() {
    for (text, secret, expected) in [
        ("{${SECRET} {{ method }}", "{ path }}", "{{ path }} GET"),
        ("{{ method }} {${SECRET}", "% raw %}", "GET {% raw %}"),
        ("${SECRET}{ a }} {{ method }}", "{", "{{ a }} GET"),
    ] {
        let shown = sent(&format!("{{headers: {{set: {{x: \"{text}\"}}}}}}"), secret);
        assert!(shown.contains(&format!("\n  x: {expected}\n")), "{expected}\n{shown}");
    }
}

#[test]
fn a_number_may_stand_in_an_expression_and_nothing_else_may() {
    let step = "{headers: {set: {x: \"{{ 1 + ${SECRET} }}\"}}}";
    assert!(sent(step, "41").contains("\n  x: 42\n"));
    let yaml = format!("upstreams: {{e: {{echo: {{}}}}}}\nroutes: [{{match: /, to: e, request: {step}}}]");
    let report = plan(&yaml, &Given("SECRET", "env('HOME')")).unwrap_err();
    let [flaw] = report.flaws() else { panic!("{report}") };
    assert!(flaw.message.contains("needs quotes") && !report.to_string().contains("HOME"), "{report}");
    let column = yaml.lines().last().unwrap().find("${SECRET}").unwrap() + 1;
    assert_eq!((flaw.at.line, flaw.at.column as usize), (2, column));
}

#[test]
fn what_is_shown_of_a_route_has_no_value_of_a_reference() {
    let yaml = "upstreams: {e: {echo: {}}}\n\
                routes: [{match: 'POST /hooks/${SECRET}', to: e}, {name: 'of ${SECRET}', match: '/of/{id}', to: e}]\n\
                tests:\n\
                  - {name: hook, given: 'POST /hooks/hush-hush', expect: {route: 'POST /hooks/${SECRET}'}}\n\
                  - {name: named, given: 'GET /of/7', expect: {route: 'of ${SECRET}'}}\n";
    let plan = plan(yaml, &Given("SECRET", "hush-hush")).unwrap_or_else(|report| panic!("{report}"));
    let shown = format!("{:?}", plan.route_list());
    assert!(!shown.contains("hush") && shown.contains("POST /hooks/${SECRET}"), "{shown}");
    assert!(plan.routes.iter().all(|route| !route.info.path.contains("hush")));
    let report = plan.test(None);
    assert!(report.passed() && report.to_string().contains("hook"), "{report}");
    let explained = plan.explain(Request::post("/hooks/hush-hush").body(crate::Body::empty()).unwrap());
    assert_eq!(explained.chosen.unwrap().0, "POST /hooks/${SECRET}");
}
