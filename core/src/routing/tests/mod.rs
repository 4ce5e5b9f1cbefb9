//! What config.md says of routes, rule by rule, and a linear search that the table must agree with.

mod agreement;
mod explaining;
mod precedence;
mod reference;

use http::{HeaderMap, HeaderName, HeaderValue, Method};

use super::*;

/// A request that owns its parts.
#[derive(Debug, Clone)]
struct Request {
    host: Option<String>,
    method: Method,
    path: String,
    query: Option<String>,
    headers: HeaderMap,
}

impl Request {
    /// Reads `GET /path?query`; the path is normalised.
    fn new(text: &str) -> Self {
        let (method, target) = text.split_once(' ').unwrap();
        let (path, query) =
            target.split_once('?').map_or((target, None), |(path, query)| (path, Some(query.to_owned())));
        Self {
            host: None,
            method: method.parse().unwrap(),
            path: normalize(path).unwrap().into_owned(),
            query,
            headers: HeaderMap::new(),
        }
    }

    fn host(mut self, host: &str) -> Self {
        self.host = Some(host.to_owned());
        self
    }

    fn header(mut self, name: &'static str, value: &'static str) -> Self {
        self.headers.append(HeaderName::from_static(name), HeaderValue::from_static(value));
        self
    }

    fn line(&self) -> RequestLine<'_> {
        RequestLine {
            host: self.host.as_deref(),
            method: &self.method,
            path: &self.path,
            query: self.query.as_deref(),
            headers: &self.headers,
        }
    }
}

/// Reads `GET /path`, or `GET ~regex` for a `path_regex`, and names the rule by its text.
fn rule(text: &'static str) -> Rule<&'static str> {
    let matcher = match text.split_once('~') {
        Some((methods, regex)) => {
            let methods = methods.trim();
            let methods = if methods.is_empty() { Methods::any() } else { methods.parse().unwrap() };
            Match { methods, ..Match::path(PathRegex::parse(regex).unwrap().into()) }
        }
        None => Shorthand::parse(text).unwrap().into(),
    };
    Rule { host: None, matcher, order: 0, value: text }
}

impl Rule<&'static str> {
    fn named(mut self, name: &'static str) -> Self {
        self.value = name;
        self
    }

    fn on(mut self, host: &str) -> Self {
        self.host = Some(host.parse().unwrap());
        self
    }

    fn header(mut self, name: &str, test: ValueTest) -> Self {
        self.matcher.headers.push(HeaderCondition::new(name, test).unwrap());
        self
    }

    fn query(mut self, name: &str, test: ValueTest) -> Self {
        self.matcher.query.push(QueryCondition::new(name, test));
        self
    }
}

fn equals(text: &str) -> ValueTest {
    ValueTest::Equals(text.into())
}

fn matches(regex: &str) -> ValueTest {
    ValueTest::Regex(WholeRegex::parse(regex).unwrap())
}

fn table(rules: impl IntoIterator<Item = Rule<&'static str>>) -> RouteTable<&'static str> {
    RouteTable::build(rules.into_iter().enumerate().map(|(order, rule)| Rule { order, ..rule }).collect())
}

/// The name of the route found, `405 <allow>` or `404`.
fn find(table: &RouteTable<&'static str>, request: &Request) -> String {
    let found = table.find(&request.line()).unwrap();
    let allow = found.allow();
    match found {
        Found::Route { value, .. } => (*value).to_owned(),
        Found::MethodNotAllowed { .. } => format!("405 {}", allow.unwrap().to_str().unwrap()),
        Found::None => "404".to_owned(),
    }
}

fn captures(table: &RouteTable<&'static str>, request: &str) -> Vec<(String, String)> {
    match table.find(&Request::new(request).line()).unwrap() {
        Found::Route { captures, .. } => {
            captures.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
        }
        other => panic!("{request} found {other:?}"),
    }
}
