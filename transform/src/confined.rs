//! Templates whose values cannot leave the place that a protocol gives them: names of functions, subjects, routing
//! keys, hosts, segments of an upstream's path.

use std::{borrow::Cow, fmt};

use crate::{
    engine::{self, Reads},
    error::TransformError,
    flaw::Flaw,
    glob::Glob,
    position::{Located, Position},
    scope::Scope,
    template::Template,
    text::Text,
};

/// What has a meaning in a host: a value is one label, or a part of one.
const HOST: &str = ".:/@?#\\[]%*,";

/// A compiled template that is confined for a protocol.
///
/// It has a literal prefix, or a list of globs of which the rendered text has to match one. A value can never add a
/// separator or wildcard of the protocol: a text that has more of them than the template's own literals is refused
/// as the client's error.
#[derive(Clone, Debug)]
pub struct Confined {
    template: Template,
    allow: Vec<Glob>,
    /// The separators and wildcards of the protocol.
    special: Box<str>,
    /// The special characters of the template's own literals, in their order.
    own: Box<str>,
    prefix: Box<str>,
}

impl Confined {
    /// Compiles and confines a template: `special` are the protocol's separators and wildcards, such as `/:`.
    ///
    /// A constant is confined by itself, whatever it holds.
    ///
    /// # Errors
    /// A template that is wrong; one that begins with a value and has no `allow`; one whose statements (`{% %}`) make
    /// its literals depend on the message while it has no `allow`.
    pub fn new(source: &str, at: Position, special: &str, allow: &[Located<String>]) -> Result<Self, Flaw> {
        Self::of(Template::new(source, at)?, special, allow)
    }

    /// As [`Self::new`], of a text that knows where it is written and what of it references gave.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn written(text: &Located<Text>, special: &str, allow: &[Located<String>]) -> Result<Self, Flaw> {
        Self::of(Template::written(text)?, special, allow)
    }

    fn of(template: Template, special: &str, allow: &[Located<String>]) -> Result<Self, Flaw> {
        let (source, at) = (template.source(), template.at());
        let constant = template.as_constant().is_some();
        let literals = if constant { vec![source] } else { engine::literals(source) };
        let prefix = if constant || !source.starts_with('{') { literals.first().copied().unwrap_or("") } else { "" };
        if !constant && allow.is_empty() && (prefix.is_empty() || engine::has_statements(source)) {
            let problem = if prefix.is_empty() {
                "a value of the request could name anything here"
            } else {
                "statements (`{% %}`) could name anything here"
            };
            let flaw = Flaw::new(at, problem);
            return Err(flaw.with_hint(
                "begin with literal text (`orders-{{ ... }}`) or list what is allowed: `allow: [\"orders-*\"]`",
            ));
        }
        Ok(Self {
            own: literals.iter().flat_map(|literal| literal.chars()).filter(|char| special.contains(*char)).collect(),
            prefix: prefix.into(),
            special: special.into(),
            allow: allow.iter().map(|glob| Glob::new(&glob.value)).collect(),
            template,
        })
    }

    /// Compiles and confines the template of a host.
    ///
    /// # Errors
    /// A template that is wrong, and one that neither begins with literal text nor ends with a literal domain.
    pub(crate) fn host(text: &Located<Text>) -> Result<Self, Flaw> {
        let template = Template::written(text)?;
        let source = template.source();
        let suffix = if source.ends_with('}') { None } else { engine::literals(source).last().copied() };
        let own_domain = suffix.is_some_and(|suffix| suffix.len() > 1 && suffix.starts_with('.'));
        let any = [Located::nowhere("*".to_owned())];
        let allow = if own_domain && !engine::has_statements(source) { &any[..] } else { &[] };
        Self::of(template, HOST, allow).map_err(|flaw| {
            flaw.with_hint("begin with literal text (`shop-{{ ... }}`), or end with a domain (`{{ ... }}.example.com`)")
        })
    }

    pub(crate) const fn reads(&self) -> Reads {
        self.template.reads()
    }

    /// Renders the text for a message.
    ///
    /// # Errors
    /// As [`Template::render`]; a value that is empty or brings a separator, wildcard, white space or control
    /// character with it; a text that no glob of `allow` matches.
    pub fn render(&self, scope: &Scope) -> Result<String, TransformError> {
        self.render_cow(scope).map(Cow::into_owned)
    }

    pub(crate) fn render_cow(&self, scope: &Scope) -> Result<Cow<'_, str>, TransformError> {
        let text = self.template.render_cow(scope)?;
        if self.as_constant().is_some() {
            return Ok(text);
        }
        let refuse = |message: &'static str| TransformError::new(scope.side(), self.template.at(), message);
        if text.chars().any(|char| char.is_whitespace() || char.is_control()) {
            return Err(refuse("a value has white space or control characters, which a name cannot have"));
        }
        if text.len() <= self.prefix.len() || !text.starts_with(&*self.prefix) {
            return Err(refuse("the rendered name is empty"));
        }
        if !text.chars().filter(|char| self.special.contains(*char)).eq(self.own.chars()) {
            return Err(refuse("a value has a separator or wildcard, which would name something else"));
        }
        if text.split(|char| self.special.contains(char)).any(str::is_empty) && !self.own.is_empty() {
            return Err(refuse("a part of the rendered name is empty"));
        }
        if !self.allow.is_empty() && !self.allow.iter().any(|glob| glob.matches(&text)) {
            return Err(refuse("the rendered name is not one of those allowed"));
        }
        Ok(text)
    }

    /// The text that is rendered for every message, when it is always the same.
    #[must_use]
    pub fn as_constant(&self) -> Option<&str> {
        self.template.as_constant()
    }

    /// Whether the body has to be read whole for it.
    #[must_use]
    pub const fn reads_body(&self) -> bool {
        self.template.reads_body()
    }

    /// Where the template is written.
    #[must_use]
    pub fn at(&self) -> Position {
        self.template.at()
    }
}

/// Shows a constant; a template may hold a secret.
impl fmt::Display for Confined {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_constant().unwrap_or("a template"))
    }
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;
    use crate::{Exchange, Facts, Params, Payload};

    fn render(template: &str, allow: &[&str], value: &str) -> Result<String, String> {
        let allow: Vec<_> = allow.iter().map(|glob| Located::nowhere((*glob).to_owned())).collect();
        let confined = Confined::new(template, Position::default(), ".*>", &allow).map_err(|flaw| flaw.to_string())?;
        let exchange = Exchange::new(Facts {
            route: "r".into(),
            request_id: http::HeaderValue::from_static("i"),
            client_ip: None,
            params: Params::new(vec![("v".into(), value.into())].into(), None),
            claims: None,
        });
        let (parts, ()) = Request::new(()).into_parts();
        let scope = Scope::of_request(&parts, &Payload::Streaming, &exchange);
        confined.render(&scope).map_err(|error| error.to_string())
    }

    #[test]
    fn a_value_stays_in_its_token() {
        assert_eq!(render("orders.{{ params.v }}.new", &[], "eu").unwrap(), "orders.eu.new");
        for value in ["eu.x", "*", "a>", "", "a b", "a\nb", "."] {
            render("orders.{{ params.v }}.new", &[], value).unwrap_err();
        }
        render("orders-{{ params.v }}", &[], "").unwrap_err();
    }

    #[test]
    fn an_unconfined_template_is_refused() {
        for template in ["{{ params.v }}", "{{ params.v }}.orders", "o{% if true %}.{% endif %}{{ params.v }}"] {
            assert!(render(template, &[], "x").unwrap_err().contains("allow"), "{template}");
        }
    }

    #[test]
    fn an_allow_list_confines() {
        assert_eq!(render("{{ params.v }}", &["orders-*"], "orders-eu").unwrap(), "orders-eu");
        assert!(render("{{ params.v }}", &["orders-*"], "users").unwrap_err().contains("allowed"));
        assert!(render("{{ params.v }}", &["*"], "a.b").unwrap_err().contains("separator"));
    }

    #[test]
    fn a_constant_is_confined_by_itself() {
        assert_eq!(render("orders.*.>", &[], "x").unwrap(), "orders.*.>");
    }
}
