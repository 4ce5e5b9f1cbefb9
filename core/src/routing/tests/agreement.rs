use proptest::{prelude::*, sample::select};

use super::{
    reference::{Answer, SOURCES, Spec, candidates, search},
    *,
};

fn pattern() -> impl Strategy<Value = String> {
    let segment = select(vec!["a", "b", "a", "b", "", "x%2Fy", "{}", "{}"]);
    let tail = select(vec!["", "", "/{*rest}"]);
    (prop::collection::vec(segment, 0..4), tail, select(vec!["x", "y"])).prop_map(|(segments, tail, name)| {
        let mut path = String::new();
        for (index, segment) in segments.into_iter().enumerate() {
            let segment = if segment == "{}" { format!("{{{name}{index}}}") } else { segment.to_owned() };
            path = format!("{path}/{segment}");
        }
        path.push_str(tail);
        if path.is_empty() { "/".to_owned() } else { path }
    })
}

fn path() -> impl Strategy<Value = String> {
    let regex = select(SOURCES.to_vec());
    prop_oneof![3 => pattern(), 2 => regex.prop_map(str::to_owned)]
}

fn value_test() -> impl Strategy<Value = ValueTest> {
    select(vec![equals("1"), equals("2"), ValueTest::Present, ValueTest::Absent, matches("[12]"), matches("1+")])
}

fn conditions() -> impl Strategy<Value = Vec<(&'static str, ValueTest)>> {
    prop::collection::vec((select(vec!["k", "l"]), value_test()), 0..3)
        .prop_flat_map(|conditions| select(vec![conditions, vec![], vec![]]))
}

fn spec() -> impl Strategy<Value = Spec> {
    let host = select(vec![None, None, None, Some("a.b.c"), Some("*.b.c"), Some("*.c"), Some("*")]);
    let methods = select(vec![
        vec![],
        vec![],
        vec!["GET"],
        vec!["HEAD"],
        vec!["POST"],
        vec!["GET", "POST"],
        vec!["GET", "HEAD"],
        vec!["PURGE"],
    ]);
    (host, path(), methods, conditions(), conditions()).prop_map(|(host, path, methods, headers, query)| Spec {
        host,
        path,
        methods,
        headers,
        query,
    })
}

fn request() -> impl Strategy<Value = Request> {
    let host = select(vec![None, Some("a.b.c"), Some("x.b.c"), Some("b.c"), Some("q")]);
    let segment = select(vec!["a", "b", "a", "b", "", "x%2Fy", "c", "%C3%A9", "%FF"]);
    let pair = (select(vec!["k", "l"]), select(vec!["1", "2", "3", ""]));
    let pairs = || prop::collection::vec(pair.clone(), 0..3);
    let methods = select(vec![Method::GET, Method::HEAD, Method::POST, Method::PUT]);
    (host, methods, prop::collection::vec(segment, 1..5), pairs(), pairs()).prop_map(
        |(host, method, segments, query, headers)| Request {
            host: host.map(str::to_owned),
            method,
            path: format!("/{}", segments.join("/")),
            query: (!query.is_empty())
                .then(|| query.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&")),
            headers: headers
                .into_iter()
                .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
                .collect(),
        },
    )
}

fn answer(table: &RouteTable<usize>, request: &Request) -> Answer {
    match table.find(&request.line()) {
        Err(_) => Answer::Malformed,
        Ok(Found::None) => Answer::Nothing,
        Ok(Found::Route { value, captures }) => {
            Answer::Route(*value, captures.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
        }
        Ok(Found::MethodNotAllowed { allow }) => {
            let allow = allow.allow_header();
            let names = ["GET", "HEAD", "POST", "PURGE"].into_iter();
            Answer::NotAllowed(
                names.filter(|name| allow.to_str().unwrap().split(", ").any(|one| one == *name)).collect(),
            )
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    #[test]
    fn the_table_agrees_with_a_linear_search(
        specs in prop::collection::vec(spec(), 0..60),
        requests in prop::collection::vec(request(), 1..24),
    ) {
        let mut rules: Vec<_> = specs.iter().enumerate().map(|(order, spec)| spec.rule(order)).collect();
        // The place in the vector must not matter, only the order that a rule names.
        rules.reverse();
        let table = RouteTable::build(rules);
        let hidden: Vec<usize> = table.unreachable().iter().map(|pair| pair.hidden.value).collect();
        for request in &requests {
            let expected = search(&specs, request);
            prop_assert_eq!(&answer(&table, request), &expected, "{:?}", request);
            if let Answer::Route(index, _) = &expected {
                prop_assert!(!hidden.contains(index), "{} is called unreachable", index);
            }
            let explanation = table.explain(&request.line());
            let order: Vec<usize> = explanation.candidates.iter().map(|one| one.rule.value).collect();
            prop_assert_eq!(order, candidates(&specs, request));
        }
    }
}
