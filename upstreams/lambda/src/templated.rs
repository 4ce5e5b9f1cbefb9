//! A function's name that depends on the request, kept inside what the configuration allows.

use callgate_core::{ErrorKind, Invalid, UpstreamError};
use callgate_transform::{Confined, Located, Scope, Text};

use crate::name::FunctionName;

/// What has a meaning in a function's name: a value of the request must not bring it along.
const SPECIAL: &str = ":/*";

/// A template of a function's name, confined by the text that it begins with or by `allow`.
#[derive(Debug)]
pub(crate) struct Templated(Confined);

/// Whether the text has the tags of a template.
pub(crate) fn is_template(text: &str) -> bool {
    ["{{", "{%", "{#"].iter().any(|tag| text.contains(tag))
}

impl Templated {
    /// Compiles a template.
    pub(crate) fn compile(source: &Located<Text>, allow: &[Located<String>]) -> Result<Self, Invalid> {
        Confined::written(source, SPECIAL, allow).map(Self).map_err(|flaw| Invalid::from(flaw).at("name"))
    }

    /// The name for a request.
    pub(crate) fn render(&self, scope: &Scope) -> Result<FunctionName, UpstreamError> {
        let text = self
            .0
            .render(scope)
            .map_err(|error| UpstreamError::unrendered("the function's name could not be rendered", error))?;
        text.parse().map_err(|error| {
            UpstreamError::new(ErrorKind::BadInput, "the function's name was rendered as none")
                .with_detail("A value of the request does not fit into the name of a function.")
                .with_source(error)
        })
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use callgate_transform::{Exchange, Facts, Params, Position};
    use http::Request;

    use super::*;

    fn templated(source: &str, allow: &[&str]) -> Result<Templated, Invalid> {
        let allow: Vec<_> =
            allow.iter().map(|&glob| Located { value: glob.to_owned(), at: Position::default() }).collect();
        Templated::compile(&Located::nowhere(source.to_owned().into()), &allow)
    }

    fn render(templated: &Templated, kind: &str) -> Result<String, UpstreamError> {
        let facts = Facts {
            route: "r".into(),
            request_id: http::HeaderValue::from_static("1"),
            client_ip: None,
            params: Params::from(vec![("kind".into(), kind.into())]),
            claims: None,
        };
        let parts = Request::get("/").body(()).unwrap().into_parts().0;
        let scope = Scope::of_request(&parts, &Bytes::new().into(), &Exchange::new(facts));
        templated.render(&scope).map(|name| name.to_string())
    }

    #[test]
    fn a_name_is_made_from_the_request() {
        let named = templated("orders-{{ params.kind }}", &[]).unwrap();
        assert_eq!(render(&named, "create").unwrap(), "orders-create");
        let arn = templated("arn:aws:lambda:eu-west-1:123456789012:function:o-{{ params.kind }}", &[]).unwrap();
        let live = templated("orders-{{ params.kind }}:live", &[]).unwrap();
        assert_eq!(render(&live, "x").unwrap(), "orders-x:live");
        assert_eq!(render(&arn, "x").unwrap(), "arn:aws:lambda:eu-west-1:123456789012:function:o-x");
    }

    #[test]
    fn a_clients_value_cannot_leave_its_place() {
        let named = templated("orders-{{ params.kind }}", &[]).unwrap();
        for kind in ["a:live", "a/b", "", "a b", "é", "*", "x\n"] {
            let error = render(&named, kind).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::BadInput, "{kind}");
            assert!(!error.detail().unwrap().contains("orders"), "clients don't learn the names");
        }
    }

    #[test]
    fn only_what_is_listed_is_invoked() {
        let named = templated("{{ params.kind }}", &["orders-*", "audit"]).unwrap();
        assert_eq!(render(&named, "orders-a").unwrap(), "orders-a");
        assert_eq!(render(&named, "audit").unwrap(), "audit");
        assert!(render(&named, "admin").unwrap_err().detail().unwrap().contains("allowed"));
    }

    #[test]
    fn an_unconfined_or_broken_template_is_refused_at_load() {
        assert!(templated("{{ params.kind }}", &[]).unwrap_err().hint.unwrap().contains("allow"));
        assert!(templated("a-{{ params.kind", &[]).is_err());
        assert!(is_template("{% if x %}a{% endif %}") && !is_template("plain"));
    }
}
