use super::*;

#[test]
fn every_candidate_has_its_reason() {
    let table = table([
        rule("/orders/{*rest}").named("tail"),
        rule("POST /orders/{id}").named("post"),
        rule("/orders/7").named("gold").header("x-tier", equals("gold")).query("q", ValueTest::Present),
        rule("GET /orders/{id}").named("get"),
        rule("/other").named("other"),
    ]);
    let explanation = table.explain(&Request::new("GET /orders/7").line());
    let shown: Vec<_> =
        explanation.candidates.iter().map(|one| format!("{}: {}", one.rule.value, one.verdict)).collect();
    assert_eq!(
        shown,
        [
            "gold: passed over: the header condition `x-tier: gold` does not hold; the query condition `q: {present: true}` does not hold",
            "post: passed over: it takes POST, not GET",
            "get: chosen",
            "tail: matches, but is less specific than the chosen route",
        ]
    );
    assert_eq!(explanation.chosen().map(|rule| rule.value), Some("get"));
    let Ok(Found::Route { captures, .. }) = explanation.outcome else { panic!("no route") };
    assert_eq!(captures.get("id"), Some("7"));
}

#[test]
fn the_order_lists_hosts_then_paths_by_precedence() {
    let table = table([
        rule("/{*rest}"),
        rule("/a").named("any host").on("*"),
        rule("/a").named("suffix").on("*.b.c"),
        rule("/a").named("exact host").on("a.b.c"),
        rule("~/r"),
        rule("/{x}"),
        rule("/a/{*rest}"),
        rule("/a"),
        rule("GET /a"),
    ]);
    let order: Vec<_> = table.order().map(|rule| rule.value).collect();
    assert_eq!(order, ["exact host", "suffix", "any host", "GET /a", "/a", "/{x}", "~/r", "/a/{*rest}", "/{*rest}"]);
}

fn hidden(rules: impl IntoIterator<Item = Rule<&'static str>>) -> Vec<(&'static str, &'static str)> {
    table(rules).unreachable().iter().map(|pair| (pair.hidden.value, pair.by.value)).collect()
}

#[test]
fn a_rule_is_hidden_by_an_earlier_one_that_takes_all_it_takes() {
    assert_eq!(hidden([rule("/a/{x}").named("one"), rule("/a/{y}").named("two")]), [("two", "one")]);
    assert_eq!(hidden([rule("GET,POST /a").named("one"), rule("GET /a").named("two")]), [("two", "one")]);
    assert_eq!(
        hidden([rule("~/a.*").named("one"), rule("~/a.*").named("two"), rule("~/b").named("three")]),
        [("two", "one")]
    );
    let present = rule("/a").named("one").header("x", ValueTest::Present);
    assert_eq!(hidden([present.clone(), rule("/a").named("two").header("x", equals("1"))]), [("two", "one")]);
    assert_eq!(hidden([present, rule("/a").named("two").query("x", equals("1"))]), []);
}

#[test]
fn a_rule_that_some_request_reaches_is_not_hidden() {
    assert_eq!(hidden([rule("/a").named("any"), rule("GET /a").named("get")]), []);
    assert_eq!(
        hidden([rule("GET /a").named("get"), rule("HEAD /a").named("head"), rule("GET,HEAD /a").named("both")]),
        []
    );
    assert_eq!(hidden([rule("/a").named("top"), rule("/a").named("host").on("a.b")]), []);
    assert_eq!(hidden([rule("/a").named("plain"), rule("/a").named("more").header("x", ValueTest::Present)]), []);
    assert_eq!(hidden([rule("GET /a").named("get"), rule("POST /a").named("post"), rule("/b").named("b")]), []);
}
