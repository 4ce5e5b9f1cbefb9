//! The tests that a configuration brings with it: `callgate test`.

mod compare;
mod report;
mod settings;

use bytes::Bytes;
use http::{HeaderValue, Request, Response, header};

pub use compare::Difference;
pub use report::{TestReport, TestResult};
pub(super) use settings::TestSettings;

use self::{compare::Comparison, settings::Expect};
use super::{Attempt, Outcome, Plan, Rendered, RoutePlan, keep};
use crate::{
    document::{DocPath, Flaw, Node, Span, Value, from_node, nearest},
    routing::HostPattern,
};

/// A test, checked.
#[derive(Debug)]
pub(crate) struct Trial {
    name: String,
    at: Span,
    request: Request<Bytes>,
    client: Option<std::net::IpAddr>,
    outcome: Option<Outcome>,
    destination: usize,
    expect: Expect,
    /// Where the expected route's name stands.
    route_at: Option<(Span, DocPath)>,
}

/// Reads the tests that stand at the top of the document or on a route.
pub(super) fn read_all(node: Option<&Node>, path: &DocPath, flaws: &mut Vec<Flaw>) -> Vec<Trial> {
    let Some(node) = node.filter(|node| !node.is_null()) else { return Vec::new() };
    if !matches!(node.value, Value::Sequence(_)) {
        let flaw = Flaw::error(node.at, path, "tests are a list");
        flaws.push(flaw.with_hint("begin each test with `- `"));
    }
    let items = node.items().iter().enumerate();
    items.filter_map(|(index, item)| read(item, &path.index(index), flaws)).collect()
}

fn read(node: &Node, path: &DocPath, flaws: &mut Vec<Flaw>) -> Option<Trial> {
    let settings: TestSettings = keep(from_node(node, path), flaws)?;
    if let (Some(_), Some((error, _))) = (node.get("reply"), node.entry("error")) {
        let flaw = Flaw::error(error.at, path, "a call has a reply or fails, not both");
        flaws.push(flaw.with_hint("keep one of `reply` and `error`"));
    }
    let expect = settings.expect;
    if expect.route.is_none() && expect.request.is_none() && expect.response.is_none() {
        let at = node.get("expect").map_or(node.at, |expect| expect.at);
        let flaw = Flaw::error(at, &path.key("expect"), "the test expects nothing");
        flaws.push(flaw.with_hint("name at least one of `route`, `request` and `response`"));
    }
    let given = settings.given.0;
    let name = settings.name.map_or_else(|| format!("{} {}", given.method.0, given.path.0), |name| name.to_string());
    let mut headers = given.headers.0;
    let body = given.body.map(|body| body.write(&mut headers)).unwrap_or_default();
    let mut request = Request::new(body);
    (*request.method_mut(), *request.uri_mut(), *request.headers_mut()) = (given.method.0, given.path.0, headers);
    let reply = settings.reply.map(|reply| {
        let mut headers = reply.headers.0;
        let mut response = Response::new(reply.body.map(|body| body.write(&mut headers)).unwrap_or_default());
        (*response.status_mut(), *response.headers_mut()) = (reply.status.0, headers);
        Outcome::Reply(response)
    });
    let route = node.get("expect").and_then(|expect| expect.get("route"));
    Some(Trial {
        name,
        at: node.at,
        request,
        client: given.client,
        outcome: reply.or(settings.error.map(|error| error.0)),
        destination: settings.destination.map_or(0, |number| number.get() - 1),
        expect,
        route_at: route.map(|route| (route.at, path.key("expect").key("route"))),
    })
}

/// Routes that tests expect and that are not there.
pub(super) fn unknown_routes<'t>(tests: impl Iterator<Item = &'t Trial>, routes: &[RoutePlan]) -> Vec<Flaw> {
    let unknown = |test: &Trial| {
        let (name, (at, path)) = (test.expect.route.as_ref()?, test.route_at.as_ref()?);
        if routes.iter().any(|route| route.is_called(name)) {
            return None;
        }
        let flaw = Flaw::error(*at, path, format!("no route is named `{name}`"));
        Some(match nearest(name, routes.iter().map(|route| &*route.info.name)) {
            Some(near) => flaw.with_hint(format!("did you mean `{near}`?")),
            None => flaw,
        })
    };
    tests.filter_map(unknown).collect()
}

impl Plan {
    /// Runs the tests whose name contains the filter, those of routes first. Nothing is called.
    pub fn test(&self, filter: Option<&str>) -> TestReport {
        let of_routes = self.routes.iter().flat_map(|route| route.tests.iter().map(move |test| (Some(route), test)));
        let all = of_routes.chain(self.tests.iter().map(|test| (None, test)));
        let named = all.map(|(route, test)| match route {
            Some(route) => (format!("{}: {}", route.info.name, test.name), route.into(), test),
            None => (test.name.clone(), None, test),
        });
        let wanted = named.filter(|(name, ..)| filter.is_none_or(|filter| name.contains(filter)));
        let results = wanted.map(|(name, route, test)| self.run(name, route, test)).collect();
        TestReport { results, filter: filter.map(ToOwned::to_owned) }
    }

    fn run(&self, name: String, of: Option<&RoutePlan>, test: &Trial) -> TestResult {
        let mut comparison = Comparison::default();
        let attempt = Attempt {
            destination: test.destination,
            client: test.client,
            outcome: test.outcome.as_ref(),
            ..Attempt::default()
        };
        let rendered = match self.render(test.request_of(of), &attempt) {
            Ok(rendered) => rendered,
            Err(error) => {
                comparison.differs(
                    &DocPath::root().key("destination"),
                    (test.destination + 1).to_string(),
                    error.to_string(),
                );
                Rendered::default()
            }
        };
        if comparison.0.is_empty() {
            test.compare((of, &self.routes), &rendered, &mut comparison);
        }
        let differences = comparison.0;
        let reason = if differences.is_empty() { Vec::new() } else { rendered.reasons() };
        TestResult { name, place: self.sources.place(test.at), differences, reason }
    }
}

impl Trial {
    /// The request, with the host of the route it stands on unless it names one.
    fn request_of(&self, route: Option<&RoutePlan>) -> Request<Bytes> {
        let mut request = self.request.clone();
        let host = match route.and_then(|route| route.host.as_ref()) {
            Some(HostPattern::Exact(host)) => host.to_string(),
            Some(HostPattern::Suffix(suffix)) => format!("any.{suffix}"),
            Some(HostPattern::Any) | None => return request,
        };
        if let Ok(host) = HeaderValue::try_from(host) {
            request.headers_mut().entry(header::HOST).or_insert(host);
        }
        request
    }

    fn compare<'s>(
        &'s self,
        (of, routes): (Option<&'s RoutePlan>, &'s [RoutePlan]),
        rendered: &Rendered,
        comparison: &mut Comparison,
    ) {
        let root = DocPath::root();
        let shown = |route: &'s RoutePlan| &*route.info.name;
        let expected = self.expect.route.as_deref();
        let expected = expected.map(|name| routes.iter().find(|route| route.is_called(name)).map_or(name, shown));
        let wanted = expected.or(of.map(shown));
        let found = rendered.route.as_ref().map(|(name, _)| name.as_str());
        // What another route makes of the request would only hide this.
        if let Some(wanted) = wanted.filter(|wanted| found != Some(*wanted)) {
            return comparison.differs(&root.key("route"), wanted, found.unwrap_or("no route"));
        }
        if let Some(expected) = &self.expect.request {
            match &rendered.sent {
                Some(sent) => comparison.request(expected, &sent.request),
                None => comparison.differs(&root.key("request"), "a request to an upstream", "nothing is sent"),
            }
        }
        if let Some(expected) = &self.expect.response {
            match &rendered.response {
                Some(response) => comparison.response(expected, response),
                None => comparison.differs(
                    &root.key("response"),
                    "a response",
                    "nothing, as the test gives neither `reply` nor `error`",
                ),
            }
        }
    }
}
