//! Subjects: what a message is published to.

use callgate_core::{ErrorKind, Invalid, UpstreamError};
use callgate_transform::{Confined, Located, Scope, Text};

/// What has a meaning in a subject: a value of the request must not bring it along.
const SPECIAL: &str = ".*>";

/// The longest subject, in bytes. A server ends the connection, with all that is under way in it, when a command's line is
/// longer than 4096 bytes (`max_control_line`); beside the subject there are the place for replies and two sizes in it.
const LONGEST: usize = 2048;

/// A subject, fixed or a template that is confined.
#[derive(Debug)]
pub(crate) struct Subject {
    template: Confined,
    constant: Option<async_nats::Subject>,
}

/// What is wrong with a text as a subject, by NATS's rules for publishing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Problem {
    #[error("a token between the dots is empty")]
    EmptyToken,
    #[error("a message has one subject, so the wildcards `*` and `>` are not allowed")]
    Wildcard,
    #[error("white space is not allowed")]
    Space,
    #[error("it is longer than 2048 bytes")]
    TooLong,
    #[error("`$` begins the subjects of the server itself")]
    Reserved,
}

/// Checks a text as a subject to publish to.
pub(crate) fn check(text: &str) -> Result<(), Problem> {
    if text.chars().any(|char| char.is_whitespace() || char.is_control()) {
        return Err(Problem::Space);
    }
    if text.len() > LONGEST {
        return Err(Problem::TooLong);
    }
    for token in text.split('.') {
        match token {
            "" => return Err(Problem::EmptyToken),
            "*" | ">" => return Err(Problem::Wildcard),
            _ => {}
        }
    }
    if text.starts_with('$') { Err(Problem::Reserved) } else { Ok(()) }
}

impl Subject {
    /// Compiles the subject of a target.
    pub(crate) fn compile(source: &Located<Text>, allow: &[Located<String>]) -> Result<Self, Invalid> {
        let wrong = |message: String| Invalid::new(message).at("subject");
        let template = Confined::written(source, SPECIAL, allow).map_err(|flaw| Invalid::from(flaw).at("subject"))?;
        let constant = template.as_constant().map(|text| match check(text) {
            Ok(()) => Ok(async_nats::Subject::from(text)),
            Err(problem) => Err(wrong(format!("`{text}` is no subject: {problem}")).hint("write `orders.created`")),
        });
        if constant.is_some() && !allow.is_empty() {
            let message = "the subject is no template, so there is nothing to confine";
            return Err(Invalid::new(message).at("allow").hint("leave `allow` out"));
        }
        Ok(Self { constant: constant.transpose()?, template })
    }

    /// The subject for a request.
    pub(crate) fn render<'a>(&self, scope: impl FnOnce() -> &'a Scope) -> Result<async_nats::Subject, UpstreamError> {
        if let Some(subject) = &self.constant {
            return Ok(subject.clone());
        }
        let bad = || UpstreamError::new(ErrorKind::BadInput, "the subject could not be rendered");
        let text = self
            .template
            .render(scope())
            .map_err(|error| UpstreamError::unrendered("the subject could not be rendered", error))?;
        check(&text).map_err(|problem| {
            bad().with_detail("A value of the request does not fit into the subject of a message.").with_source(problem)
        })?;
        Ok(text.into())
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use callgate_transform::{Exchange, Facts, Params, Position};
    use http::Request;
    use proptest::prelude::*;

    use super::*;

    fn text(source: &str) -> Located<Text> {
        Located::nowhere(source.to_owned().into())
    }

    fn render(source: &str, value: &str) -> Result<String, UpstreamError> {
        let facts = Facts {
            route: "r".into(),
            request_id: http::HeaderValue::from_static("1"),
            client_ip: None,
            params: Params::from(vec![("v".into(), value.into())]),
            claims: None,
        };
        let parts = Request::get("/").body(()).unwrap().into_parts().0;
        let scope = Scope::of_request(&parts, &Bytes::new().into(), &Exchange::new(facts));
        Subject::compile(&text(source), &[]).unwrap().render(|| &scope).map(|subject| subject.to_string())
    }

    #[test]
    fn a_subject_is_made_from_the_request() {
        assert_eq!(render("orders.{{ params.v }}.new", "eu").unwrap(), "orders.eu.new");
        assert_eq!(render("orders", "eu").unwrap(), "orders");
    }

    #[test]
    fn a_value_is_one_token() {
        for value in ["", "a.b", "*", ">", "a b", "a\n", "é\u{a0}", &"a".repeat(LONGEST)] {
            let error = render("orders.{{ params.v }}", value).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::BadInput, "{value}");
        }
    }

    #[test]
    fn what_is_no_subject_is_refused_at_load() {
        for (source, says) in [
            ("a..b", "empty"),
            ("a.*", "wildcards"),
            ("a.>", "wildcards"),
            ("a b", "white space"),
            ("$SYS.x", "server itself"),
            ("{{ params.v }}", "could name anything"),
        ] {
            let flaw = Subject::compile(&text(source), &[]).unwrap_err();
            assert!(flaw.message.contains(says), "{source}: {flaw}");
        }
        let allow = [Located { value: "a.*".to_owned(), at: Position::default() }];
        assert_eq!(Subject::compile(&text("a.b"), &allow).unwrap_err().field, "allow");
    }

    proptest! {
        #[test]
        fn a_rendered_subject_keeps_its_number_of_tokens(value in "\\PC{0,20}") {
            if let Ok(subject) = render("a.{{ params.v }}.c", &value) {
                prop_assert_eq!(subject.split('.').count(), 3);
                prop_assert_eq!(check(&subject), Ok(()));
            }
        }
    }
}
