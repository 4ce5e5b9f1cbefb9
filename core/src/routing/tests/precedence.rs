use super::*;

/// Finds in the table of these rules, in this and in the reversed order of the document.
fn check(rules: &[&'static str], expected: &[(&str, &str)]) {
    for reversed in [false, true] {
        let mut rules: Vec<_> = rules.iter().copied().map(rule).collect();
        if reversed {
            rules.reverse();
        }
        let table = table(rules);
        for (request, route) in expected {
            assert_eq!(find(&table, &Request::new(request)), *route, "{request}, reversed: {reversed}");
        }
    }
}

#[test]
fn exact_then_template_then_regex_then_tail() {
    check(
        &["/{*rest}", "~/a/.*", "/a/{id}", "/a/b"],
        &[("GET /a/b", "/a/b"), ("GET /a/c", "/a/{id}"), ("GET /a/c/d", "~/a/.*"), ("GET /b", "/{*rest}")],
    );
}

#[test]
fn templates_compare_from_the_left_with_literals_first() {
    check(
        &["/{a}/{b}/{c}", "/{a}/{b}/z", "/{a}/y/{c}", "/x/{b}/{c}"],
        &[
            ("GET /x/y/z", "/x/{b}/{c}"),
            ("GET /q/y/z", "/{a}/y/{c}"),
            ("GET /q/q/z", "/{a}/{b}/z"),
            ("GET /q/q/q", "/{a}/{b}/{c}"),
        ],
    );
}

#[test]
fn the_longer_tail_prefix_wins_and_the_rest_may_be_empty() {
    check(
        &["/{*r}", "/a/{*r}", "/a/{b}/{*r}", "/a/b/{*r}"],
        &[
            ("GET /", "/{*r}"),
            ("GET /a", "/a/{*r}"),
            ("GET /a/", "/a/{*r}"),
            ("GET /a/b", "/a/b/{*r}"),
            ("GET /a/c/d/e", "/a/{b}/{*r}"),
            ("GET /ab", "/{*r}"),
        ],
    );
}

#[test]
fn a_capture_needs_a_segment_that_is_not_empty() {
    check(
        &["/a/{id}", "/a/{id}/b"],
        &[("GET /a/", "404"), ("GET /a", "404"), ("GET /a//b", "404"), ("GET /a/x/", "404")],
    );
    check(&["/a//{id}/"], &[("GET /a//x/", "/a//{id}/"), ("GET /a/x/", "404")]);
}

#[test]
fn literals_are_normalised_like_requests() {
    check(
        &["/caf%c3%a9/%7Ea", "/é/{id}"],
        &[
            ("GET /café/~a", "/caf%c3%a9/%7Ea"),
            ("GET /x/../caf%C3%A9/%7ea", "/caf%c3%a9/%7Ea"),
            ("GET /%c3%a9/1", "/é/{id}"),
        ],
    );
}

#[test]
fn an_encoded_slash_is_no_separator() {
    check(&["/a/{id}", "/a/{x}/{y}"], &[("GET /a/b%2fc", "/a/{id}"), ("GET /a/b/c", "/a/{x}/{y}")]);
}

#[test]
fn a_route_with_methods_precedes_one_without() {
    check(&["/a", "GET /a"], &[("GET /a", "GET /a"), ("HEAD /a", "GET /a"), ("POST /a", "/a")]);
}

#[test]
fn head_goes_to_the_route_that_names_it() {
    check(
        &["GET /a", "HEAD /a", "GET ~/r.*", "HEAD ~/r.*", "GET /t/{*x}", "HEAD /t/{*x}"],
        &[("HEAD /a", "HEAD /a"), ("GET /a", "GET /a"), ("HEAD /r", "HEAD ~/r.*"), ("HEAD /t", "HEAD /t/{*x}")],
    );
    check(&["GET /a"], &[("HEAD /a", "GET /a")]);
}

#[test]
fn a_wrong_method_is_405_with_the_union_of_methods() {
    check(
        &["POST /a", "GET /{x}", "PUT,PURGE ~/.", "DELETE /b"],
        &[
            ("PATCH /a", "405 GET, HEAD, POST, PUT, PURGE"),
            ("GET /a", "GET /{x}"),
            ("DELETE /a", "405 GET, HEAD, POST, PUT, PURGE"),
            ("GET /c/d", "404"),
        ],
    );
}

#[test]
fn conditions_that_fail_leave_404_and_not_405() {
    let table = table([rule("POST /a").header("x-tier", equals("gold"))]);
    assert_eq!(find(&table, &Request::new("GET /a")), "404");
    assert_eq!(find(&table, &Request::new("GET /a").header("x-tier", "gold")), "405 POST");
}

#[test]
fn more_conditions_come_first_and_a_failing_path_falls_through() {
    let table = table([
        rule("/a").named("plain"),
        rule("/a").named("one").header("x-tier", equals("gold")),
        rule("/a").named("two").header("x-tier", matches("g.*")).query("q", ValueTest::Present),
        rule("/a").named("none").query("old", ValueTest::Absent).header("x-other", ValueTest::Present),
        rule("/{x}").named("template").header("x-tier", equals("iron")),
    ]);
    let get = |query: &str| Request::new(&format!("GET /a{query}"));
    assert_eq!(find(&table, &get("?q").header("x-tier", "gold")), "two");
    assert_eq!(find(&table, &get("").header("x-tier", "gold")), "one");
    assert_eq!(find(&table, &get("?old").header("x-other", "1")), "plain");
    assert_eq!(find(&table, &Request::new("GET /b").header("x-tier", "iron")), "template");
    assert_eq!(find(&table, &Request::new("GET /b")), "404");
}

#[test]
fn a_more_specific_path_whose_conditions_fail_gives_way() {
    let table = table([
        rule("/a/b").named("exact").header("x", ValueTest::Present),
        rule("POST /a/{id}").named("template"),
        rule("GET ~/a/.").named("regex").query("q", equals("1")),
        rule("/{*rest}").named("tail"),
    ]);
    assert_eq!(find(&table, &Request::new("POST /a/b")), "template");
    assert_eq!(find(&table, &Request::new("GET /a/b?q=1")), "regex");
    assert_eq!(find(&table, &Request::new("GET /a/b")), "tail");
    assert_eq!(find(&table, &Request::new("GET /a/b").header("x", "")), "exact");
}

#[test]
fn a_full_tie_is_decided_by_the_document() {
    let table =
        table([rule("GET /{a}").named("first"), rule("POST /{b}").named("second"), rule("GET /{c}").named("third")]);
    assert_eq!(find(&table, &Request::new("GET /x")), "first");
    assert_eq!(find(&table, &Request::new("POST /x")), "second");
}

#[test]
fn the_most_specific_host_is_tried_and_then_the_top_level() {
    let table = table([
        rule("/a").named("top"),
        rule("/only-top").named("only-top"),
        rule("/a").named("any").on("*"),
        rule("/any").named("only-any").on("*"),
        rule("/a").named("suffix").on("*.example.com"),
        rule("GET /a").named("exact").on("api.example.com"),
    ]);
    let get = |path: &str, host: &str| find(&table, &Request::new(&format!("GET {path}")).host(host));
    assert_eq!(get("/a", "API.example.com:8080"), "exact");
    assert_eq!(get("/a", "x.example.com"), "suffix");
    assert_eq!(get("/a", "example.com."), "any");
    assert_eq!(get("/only-top", "api.example.com"), "only-top");
    assert_eq!(get("/any", "api.example.com"), "404");
    assert_eq!(find(&table, &Request::new("POST /a").host("api.example.com")), "top");
    assert_eq!(find(&table, &Request::new("GET /a")), "any");
}

#[test]
fn captures_are_decoded() {
    let table = table([rule("/a/{id}"), rule("/t/{id}/{*rest}"), rule("~/r/(?<name>[^/]+)(/.*)?")]);
    let pairs =
        |pairs: &[(&str, &str)]| pairs.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect::<Vec<_>>();
    assert_eq!(captures(&table, "GET /a/caf%C3%A9%2Fx%20y"), pairs(&[("id", "café/x y")]));
    assert_eq!(captures(&table, "GET /t/1/b//c%2Fd/"), pairs(&[("id", "1"), ("rest", "b//c/d/")]));
    assert_eq!(captures(&table, "GET /t/1"), pairs(&[("id", "1"), ("rest", "")]));
    assert_eq!(captures(&table, "GET /r/%41b"), pairs(&[("name", "Ab")]));
    let error = table.find(&Request::new("GET /a/%FF").line()).unwrap_err();
    assert_eq!(error.to_string(), "the path parameter `id` is not UTF-8 after percent-decoding");
}

#[test]
fn hundreds_of_expressions_keep_their_precedence() {
    let numbered = (0..300).map(|index| {
        let path = PathRegex::parse(&format!("/r{index}/.*")).unwrap().into();
        Rule { host: None, matcher: Match::path(path), order: index, value: "numbered" }
    });
    let general = |name, order| Rule { order, ..rule("~/r.*").named(name) };
    let strict = rule("POST ~/r2.*").named("strict").header("x", ValueTest::Present);
    let table = RouteTable::build(
        numbered.chain([general("late", 301), general("middle", 150), Rule { order: 302, ..strict }]).collect(),
    );
    let find = |request: &str| find(&table, &Request::new(request).header("x", "1"));
    assert_eq!(find("GET /r7/x"), "numbered");
    assert_eq!(find("GET /r299/x"), "middle");
    assert_eq!(find("GET /r7"), "middle");
    assert_eq!(find("POST /r299/x"), "strict");
    assert_eq!(find("GET /x"), "404");
}

#[test]
fn the_asterisk_form_matches_nothing() {
    let table = table([rule("/{*rest}"), rule("~.*")]);
    assert_eq!(find(&table, &Request::new("OPTIONS *")), "404");
}

#[test]
fn an_empty_table_finds_nothing() {
    assert_eq!(find(&table([]), &Request::new("GET /")), "404");
}
