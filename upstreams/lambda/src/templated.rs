//! A function's name that depends on the request, kept inside what the configuration allows.

use callgate_core::{ErrorKind, Invalid, UpstreamError};
use callgate_transform::{Glob, Position, Scope, Template};

use crate::name::FunctionName;

/// A template of a function's name. What it renders begins with its literal text, and matches `allow` if there is one.
#[derive(Debug)]
pub(crate) struct Templated {
    template: Template,
    prefix: Box<str>,
    allow: Box<[Glob]>,
}

/// Whether the text has the tags of a template.
pub(crate) fn is_template(text: &str) -> bool {
    first_tag(text).is_some()
}

fn first_tag(text: &str) -> Option<usize> {
    ["{{", "{%", "{#"].iter().filter_map(|tag| text.find(tag)).min()
}

impl Templated {
    /// Compiles a template.
    pub(crate) fn compile(source: &str, allow: &[String]) -> Result<Self, Invalid> {
        let prefix = &source[..first_tag(source).unwrap_or(source.len())];
        if prefix.is_empty() && allow.is_empty() {
            let hint = "begin the name with fixed text, as in `orders-{{ params.kind }}`, or list what may be invoked: \
                        `allow: [orders-*]`";
            return Err(Invalid::new("with this name a client could invoke any function").at("name").hint(hint));
        }
        let tail = source.rfind('}').map_or("", |end| &source[end..]);
        if tail.contains(':') {
            let message = "a name that is a template has no `:qualifier`";
            return Err(Invalid::new(message).at("name").hint("write it as `qualifier` beside the name"));
        }
        let template = Template::new(source, Position::default()).map_err(|flaw| {
            let invalid = Invalid::new(flaw.message).at("name");
            match flaw.hint {
                Some(hint) => invalid.hint(hint),
                None => invalid,
            }
        })?;
        let allow = allow.iter().map(|glob| Glob::new(glob)).collect();
        Ok(Self { template, prefix: prefix.into(), allow })
    }

    /// The name for a request.
    pub(crate) fn render(&self, scope: &Scope) -> Result<FunctionName, UpstreamError> {
        let text = self.template.render(scope).map_err(|error| {
            let detail = error.public_detail().to_owned();
            UpstreamError::new(ErrorKind::BadInput, "the function's name could not be rendered")
                .with_detail(detail)
                .with_source(error)
        })?;
        let refused = |why: &str| {
            let message = format!("the name of the function, rendered as `{}`, {why}", text.escape_debug());
            UpstreamError::new(ErrorKind::BadInput, message)
                .with_detail("A value of the request does not fit into the name of a function.")
        };
        let Some(rest) = text.strip_prefix(&*self.prefix) else {
            return Err(refused("does not begin as the configuration says"));
        };
        let fits = !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
        if !fits {
            return Err(refused("holds what no function's name may hold"));
        }
        if !self.allow.is_empty() && !self.allow.iter().any(|glob| glob.matches(&text)) {
            return Err(refused("is not among those that are allowed"));
        }
        text.parse().map_err(|error| refused("is none").with_source(error))
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use callgate_transform::{Exchange, Facts, Params};
    use http::Request;

    use super::*;

    fn templated(source: &str, allow: &[&str]) -> Result<Templated, Invalid> {
        let allow: Vec<_> = allow.iter().map(|&glob| glob.to_owned()).collect();
        Templated::compile(source, &allow)
    }

    fn render(templated: &Templated, kind: &str) -> Result<String, UpstreamError> {
        let facts = Facts {
            route: "r".into(),
            request_id: "1".into(),
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
        assert!(render(&named, "admin").unwrap_err().message().contains("allowed"));
    }

    #[test]
    fn an_unconfined_or_broken_template_is_refused_at_load() {
        assert!(templated("{{ params.kind }}", &[]).unwrap_err().hint.unwrap().contains("allow"));
        assert!(templated("a-{{ params.kind }}:live", &[]).unwrap_err().message.contains("qualifier"));
        assert!(templated("a-{{ params.kind", &[]).is_err());
        assert!(is_template("{% if x %}a{% endif %}") && !is_template("plain"));
    }
}
