//! A function's route that depends on the request, kept inside what the configuration allows.

use callgate_core::{ErrorKind, Invalid, UpstreamError};
use callgate_transform::{Confined, Located, Scope, Text};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::shape;

/// What has a meaning in a path: a value of the request must not bring it along.
const SPECIAL: &str = "/\\";

/// What is escaped in a rendered route: all but RFC 3986's unreserved characters and the separators of its literals.
const ESCAPED: AsciiSet = NON_ALPHANUMERIC.remove(b'/').remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A template of a route, confined by the text that it begins with or by `allow`.
#[derive(Debug)]
pub(crate) struct Templated(Confined);

impl Templated {
    /// Whether the text has the tags of a template.
    pub(crate) fn is(text: &str) -> bool {
        ["{{", "{%", "{#"].iter().any(|tag| text.contains(tag))
    }

    /// Compiles a template.
    pub(crate) fn compile(source: &Located<Text>, allow: &[Located<String>]) -> Result<Self, Invalid> {
        let slashes = source.value.as_str().bytes().take_while(|byte| *byte == b'/').count();
        let source = Located { value: source.value.behind(slashes), at: source.at };
        Confined::written(&source, SPECIAL, allow).map(Self).map_err(|flaw| Invalid::from(flaw).at("route"))
    }

    /// Whether the request's body has to be read whole for it.
    pub(crate) fn reads_body(&self) -> bool {
        self.0.reads_body()
    }

    /// The route for a request, escaped.
    pub(crate) fn render(&self, scope: &Scope) -> Result<String, UpstreamError> {
        let route = self
            .0
            .render(scope)
            .map_err(|error| UpstreamError::unrendered("the function's route could not be rendered", error))?;
        if shape::climbs(&route) {
            return Err(UpstreamError::new(ErrorKind::BadInput, "the function's route would lead out of its place")
                .with_detail("A value of the request does not fit into the function's path."));
        }
        Ok(utf8_percent_encode(&route, &ESCAPED).to_string())
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use callgate_transform::{Exchange, Facts, Params};
    use http::Request;

    use super::*;

    fn render(source: &str, value: &str) -> Result<String, ErrorKind> {
        let facts = Facts {
            route: "r".into(),
            request_id: http::HeaderValue::from_static("1"),
            client_ip: None,
            params: Params::from(vec![("id".into(), value.into())]),
            claims: None,
        };
        let parts = Request::get("/").body(()).unwrap().into_parts().0;
        let scope = Scope::of_request(&parts, &Bytes::new().into(), &Exchange::new(facts));
        Templated::compile(&Located::nowhere(source.to_owned().into()), &[])
            .unwrap()
            .render(&scope)
            .map_err(|error| error.kind())
    }

    #[test]
    fn values_are_escaped() {
        assert_eq!(render("orders/{{ params.id }}/items", "7").unwrap(), "orders/7/items");
        assert_eq!(render("/orders/{{ params.id }}", "a.b").unwrap(), "orders/a.b");
        assert_eq!(render("orders/{{ params.id }}", "é?#%2F").unwrap(), "orders/%C3%A9%3F%23%252F");
    }

    #[test]
    fn a_value_cannot_leave_its_segment() {
        for value in ["a/b", "", "a b", "..", ".", "a\\b", "..\\x", "%2e%2e"] {
            assert_eq!(render("orders/{{ params.id }}", value), Err(ErrorKind::BadInput), "{value}");
        }
    }
}
