//! `google.api.http`: how a method is called by HTTP, as its own description says.

mod template;

use http::Method as HttpMethod;
use prost_reflect::{DynamicMessage, FieldDescriptor, MessageDescriptor, MethodDescriptor, Value};

use crate::json::{Given, resolve};
pub(crate) use template::Template;

/// The option of a method.
const OPTION: &str = "google.api.http";

/// One way to call a method.
pub(crate) struct Rule {
    /// The method; `None` for any.
    pub(crate) method: Option<HttpMethod>,
    pub(crate) template: Template,
    /// The fields that the template's variables stand for, in their order.
    pub(crate) variables: Vec<Given>,
    pub(crate) body: RuleBody,
    /// The field of the reply that is answered instead of all of it.
    pub(crate) response_body: Option<String>,
}

/// A rule that a request follows.
pub(crate) struct Matched<'a> {
    pub(crate) rule: &'a Rule,
    /// What it took of the path: the texts of its variables, in their order.
    pub(crate) texts: Vec<String>,
}

impl<'a> Matched<'a> {
    pub(crate) fn of(rule: &'a Rule, method: &HttpMethod, path: &str) -> Option<Self> {
        Some(Self { rule, texts: rule.matches(method, path)? })
    }
}

/// What of the message is the request's body.
pub(crate) enum RuleBody {
    Nothing,
    Whole,
    Field(FieldDescriptor),
}

impl Rule {
    /// The texts of the variables, if the rule is for this request.
    fn matches(&self, method: &HttpMethod, path: &str) -> Option<Vec<String>> {
        // HEAD is served where GET is.
        let is_meant = self
            .method
            .as_ref()
            .is_none_or(|own| own == method || (own == HttpMethod::GET && method == HttpMethod::HEAD));
        if is_meant { self.template.matches(path) } else { None }
    }

    /// The rule as people write it: `GET /v1/{name}`.
    pub(crate) fn title(&self) -> String {
        let method = self.method.as_ref().map_or("*", HttpMethod::as_str);
        format!("{method} {}", self.template.text())
    }
}

/// The rules of a method, or what is wrong with one of them.
pub(crate) fn of(method: &MethodDescriptor) -> Vec<Result<Rule, String>> {
    let Some(option) = method.parent_pool().get_extension_by_name(OPTION) else { return Vec::new() };
    let options = method.options();
    if !options.has_extension(&option) {
        return Vec::new();
    }
    match &*options.get_extension(&option) {
        Value::Message(rule) => all(rule, method),
        _ => Vec::new(),
    }
}

fn all(rule: &DynamicMessage, method: &MethodDescriptor) -> Vec<Result<Rule, String>> {
    let mut found = vec![read(rule, method)];
    if let Some(more) = rule.get_field_by_name("additional_bindings")
        && let Some(more) = more.as_list()
    {
        found.extend(more.iter().filter_map(Value::as_message).map(|rule| read(rule, method)));
    }
    found
}

fn read(rule: &DynamicMessage, method: &MethodDescriptor) -> Result<Rule, String> {
    let (http, path) = pattern(rule).ok_or("a rule has no path")?;
    let failed = |reason: String| format!("its rule `{path}`: {reason}");
    let template = Template::parse(&path).map_err(failed)?;
    let (input, output) = (method.input(), method.output());
    let variables = template
        .variables()
        .map(|name| resolve(&input, name).map_err(|unfit| failed(unfit.to_string())))
        .collect::<Result<_, _>>()?;
    let text = |field: &str| rule.get_field_by_name(field).and_then(|value| value.as_str().map(ToOwned::to_owned));
    let body = match text("body").unwrap_or_default().as_str() {
        "" => RuleBody::Nothing,
        "*" => RuleBody::Whole,
        name => RuleBody::Field(named(&input, name).map_err(failed)?),
    };
    let response_body = text("response_body").filter(|name| !name.is_empty());
    if let Some(name) = &response_body {
        named(&output, name).map_err(failed)?;
    }
    Ok(Rule { method: http, template, variables, body, response_body })
}

fn named(message: &MessageDescriptor, name: &str) -> Result<FieldDescriptor, String> {
    message.get_field_by_name(name).ok_or_else(|| format!("`{}` has no field `{name}`", message.full_name()))
}

fn pattern(rule: &DynamicMessage) -> Option<(Option<HttpMethod>, String)> {
    let known = [
        ("get", HttpMethod::GET),
        ("put", HttpMethod::PUT),
        ("post", HttpMethod::POST),
        ("delete", HttpMethod::DELETE),
        ("patch", HttpMethod::PATCH),
    ];
    for (field, method) in known {
        if rule.has_field_by_name(field) {
            return Some((Some(method), rule.get_field_by_name(field)?.as_str()?.to_owned()));
        }
    }
    let custom = rule.get_field_by_name("custom")?;
    let custom = custom.as_message()?;
    let text = |field: &str| custom.get_field_by_name(field).and_then(|value| value.as_str().map(ToOwned::to_owned));
    let method = match text("kind")?.as_str() {
        "*" => None,
        kind => Some(HttpMethod::from_bytes(kind.as_bytes()).ok()?),
    };
    Some((method, text("path").filter(|path| !path.is_empty())?))
}
