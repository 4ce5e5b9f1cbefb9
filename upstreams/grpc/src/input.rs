//! The message of a call, from a request's body, path and query.

use bytes::Bytes;
use callgate_core::{Body, CallContext, Invalid, UpstreamError};
use callgate_transform::{Payload, Scope, Shape, is_plain_json};
use http::request::Parts;
use http_body::Body as _;
use percent_encoding::percent_decode_str;
use prost_reflect::DynamicMessage;
use serde_json::Value;

use crate::{
    contract::Method,
    json::{self, Given, Reading, Unfit},
    rule::{Matched, Rule, RuleBody},
};

/// Where messages come from.
#[derive(Debug)]
pub(crate) struct Input {
    /// The tree of templates that gives the whole message.
    message: Option<Shape>,
    /// Reads a body that is no plain JSON: a form, XML.
    other: Shape,
    how: Reading,
}

/// What of a request a call's message is made of.
pub(crate) struct Source<'a> {
    pub(crate) parts: &'a Parts,
    pub(crate) context: &'a CallContext,
    pub(crate) rule: Option<Matched<'a>>,
}

impl Input {
    pub(crate) fn new(message: Option<Shape>, how: Reading) -> Result<Self, Invalid> {
        Ok(Self { message, other: Shape::of_body()?, how })
    }

    /// The message of a method.
    ///
    /// # Errors
    /// The body can't be read, or something in the request does not fit.
    pub(crate) async fn read(
        &self,
        method: &Method,
        source: Source<'_>,
        body: Body,
    ) -> Result<DynamicMessage, UpstreamError> {
        let reads = match (&self.message, &source.rule) {
            (Some(tree), _) => tree.reads_body(),
            (None, Some(matched)) => !matches!(matched.rule.body, RuleBody::Nothing),
            (None, None) => !body.is_end_stream(),
        };
        let bytes = if reads {
            Some(body.collect(source.context.max_body()).await.map_err(UpstreamError::request_body)?)
        } else {
            None
        };
        if let Some(tree) = &self.message {
            let value = render(tree, &source, bytes)?;
            return Ok(json::message(&method.input, &value, self.how)?);
        }
        let bytes = bytes.filter(|bytes| !bytes.trim_ascii().is_empty());
        let value = match bytes {
            None => None,
            Some(bytes) if is_plain_json(&source.parts.headers) => {
                Some(json::parse(&bytes).map_err(|error| UpstreamError::no_json(&error))?)
            }
            Some(bytes) => Some(render(&self.other, &source, Some(bytes))?),
        };
        let mut message = match (&source.rule, &value) {
            (_, None) => DynamicMessage::new(method.input.clone()),
            (Some(Matched { rule: Rule { body: RuleBody::Field(field), .. }, .. }), Some(value)) => {
                let mut message = DynamicMessage::new(method.input.clone());
                let within = |unfit: Unfit| unfit.below(field.json_name());
                if let Some(value) = json::field(field, value, self.how).map_err(within)? {
                    json::set_field(&mut message, field, value).map_err(within)?;
                }
                message
            }
            (_, Some(value)) => json::message(&method.input, value, self.how)?,
        };
        self.query(&mut message, method, &source)?;
        self.path(&mut message, method, &source)?;
        Ok(message)
    }

    /// Fields that the query names.
    fn query(&self, message: &mut DynamicMessage, method: &Method, source: &Source<'_>) -> Result<(), UpstreamError> {
        let mut given: Vec<&str> = Vec::new();
        for pair in source.parts.uri.query().unwrap_or_default().split('&').filter(|pair| !pair.is_empty()) {
            let (raw, value) = pair.split_once('=').unwrap_or((pair, ""));
            let (Some(name), Some(value)) = (decoded(raw), decoded(value)) else {
                return Err(Unfit::new("in the query has an invalid escape").below(raw).into());
            };
            let field = match json::resolve(&method.input, &name) {
                Ok(field) => field,
                Err(_) if self.how.ignore_unknown => continue,
                Err(unfit) => return Err(unfit.into()),
            };
            if let Some(elsewhere) = source.rule.as_ref().and_then(|matched| elsewhere(matched.rule, &field)) {
                return Err(Unfit::new(format!("can't be in the query, as {elsewhere}")).below(&name).into());
            }
            if given.contains(&raw) && !field.is_list() {
                return Err(Unfit::new("is given more than once in the query").below(&name).into());
            }
            given.push(raw);
            json::set(message, &field, &value, self.how)?;
        }
        Ok(())
    }

    /// Fields that the path gives: by the variables of the rule, or by the captures of the route that are fields' names.
    fn path(&self, message: &mut DynamicMessage, method: &Method, source: &Source<'_>) -> Result<(), UpstreamError> {
        if let Some(Matched { rule, texts }) = &source.rule {
            for (field, text) in rule.variables.iter().zip(texts) {
                json::set(message, field, text, self.how)?;
            }
            return Ok(());
        }
        for (name, text) in source.context.exchange().facts().params.iter() {
            if let Ok(field) = json::resolve(&method.input, name) {
                json::set(message, &field, text, self.how)?;
            }
        }
        Ok(())
    }
}

/// Where a field comes from that the query must not give.
fn elsewhere(rule: &Rule, given: &Given) -> Option<&'static str> {
    match &rule.body {
        RuleBody::Whole => Some("the body is the whole message"),
        RuleBody::Field(field) if given.is_below(field) => Some("it is in the body"),
        RuleBody::Field(_) | RuleBody::Nothing => None,
    }
}

fn render(tree: &Shape, source: &Source<'_>, bytes: Option<Bytes>) -> Result<Value, UpstreamError> {
    let payload = bytes.map_or(Payload::Streaming, Payload::from);
    tree.render(&Scope::of_request(source.parts, &payload, source.context.exchange()))
        .map_err(|error| UpstreamError::unrendered("the message could not be rendered", error))
}

/// The text that a raw name or value of a query stands for.
fn decoded(raw: &str) -> Option<String> {
    let spaced = raw.replace('+', " ");
    percent_decode_str(&spaced).decode_utf8().ok().map(std::borrow::Cow::into_owned)
}
