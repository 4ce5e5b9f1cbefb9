//! What a plan says of a document, and what it renders.

mod hosts;
mod places;
mod policies;
mod secrets;

use std::{io, path::Path};

use bytes::Bytes;
use http::Request;

use super::{Attempt, Plan};
use crate::{
    document::{Document, References, Report},
    registry::Registry,
};

/// References of a test: one variable.
struct Given<'a>(&'a str, &'a str);

impl References for Given<'_> {
    fn variable(&self, name: &str) -> Option<String> {
        (name == self.0).then(|| self.1.to_owned())
    }

    fn file(&self, _: &Path) -> io::Result<String> {
        Err(io::ErrorKind::NotFound.into())
    }
}

fn plan(yaml: &str, given: &Given<'_>) -> Result<Plan, Report> {
    Plan::read(&Document::parse("callgate.yaml", yaml, given)?, &Registry::new())
}

/// What is shown of a request that is rendered.
fn rendered(yaml: &str, given: &Given<'_>, request: Request<&'static str>) -> String {
    let plan = plan(yaml, given).unwrap_or_else(|report| panic!("{report}"));
    let outcome = super::Outcome::Reply(http::Response::new(Bytes::new()));
    let attempt = Attempt { outcome: Some(&outcome), ..Attempt::default() };
    plan.render(request.map(|body| Bytes::from_static(body.as_bytes())), &attempt).unwrap().to_string()
}

#[test]
fn what_an_answer_of_the_gateways_own_lacks_of_the_request_is_the_requests_fault() {
    let yaml = "routes: [{match: /, respond: {body: {text: 'for {{ request.headers[\"x-a\"] }}'}}}]\n";
    let shown = rendered(yaml, &Given("", ""), Request::get("/").body("").unwrap());
    assert!(shown.contains("400") && shown.contains("bad_template_input"), "{shown}");
}
