//! The mappings of a scope: headers, query, captures, `vars`, `client`, `request`.

use std::sync::Arc;

use http::HeaderValue;
use minijinja::{
    Error, ErrorKind,
    value::{Enumerator, Object, Value},
};

use super::{
    Context,
    absent::absent,
    body::{body, text},
};
use crate::{exchange::Params, message::Message, query};

/// The key under which a path's formatter finds the tail capture, whatever its name. No capture can have it.
pub(crate) const TAIL: &str = "*";

/// Which mapping of the message is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum View {
    Headers,
    HeadersAll,
    Query,
    QueryAll,
    Params,
    PathParams,
    Vars,
    Client,
    Request,
}

/// A mapping of the message, or of the request that the message answers.
#[derive(Debug)]
pub(super) struct Part {
    context: Arc<Context>,
    view: View,
    of_request: bool,
}

impl Part {
    pub(super) fn value(context: &Arc<Context>, view: View, of_request: bool) -> Value {
        Value::from_object(Self { context: Arc::clone(context), view, of_request })
    }

    fn message(&self) -> Option<&Message> {
        self.view.message(&self.context, self.of_request)
    }
}

impl View {
    fn message(self, context: &Context, of_request: bool) -> Option<&Message> {
        if of_request { context.request.as_deref() } else { Some(&context.message) }
    }

    /// A member of the mapping.
    pub(super) fn member(self, context: &Arc<Context>, of_request: bool, key: &str) -> Option<Value> {
        let message = || self.message(context, of_request);
        let part = |view| Some(Part::value(context, view, of_request));
        match self {
            Self::Headers => message()?.header(key).map(header_text),
            Self::HeadersAll => all_values(message()?, key),
            Self::Query => query::first(message()?.uri.query()?, key).map(decoded),
            Self::QueryAll => {
                let values: Vec<_> = query::all(message()?.uri.query()?, key).map(decoded).collect();
                (!values.is_empty()).then(|| Value::from(values))
            }
            Self::Params => context.known.facts.params.get(key).map(Value::from),
            Self::PathParams => path_param(&context.known.facts.params, key),
            Self::Vars => {
                let mut vars = context.vars.iter().rev();
                vars.find(|(name, _)| &**name == key).map(|(_, value)| value.clone())
            }
            Self::Client => match key {
                "ip" => context.known.facts.client_ip.map(|ip| Value::from(ip.to_string())),
                "certificate" => Some(context.known.certificate().unwrap_or_else(absent)),
                _ => None,
            },
            Self::Request => match key {
                "headers" => part(Self::Headers),
                "headers_all" => part(Self::HeadersAll),
                "query" => part(Self::Query),
                "query_all" => part(Self::QueryAll),
                "method" => Some(Value::from(message()?.method.as_str())),
                "path" => Some(Value::from(message()?.uri.path())),
                "body" => Some(body(message()?).unwrap_or_else(absent)),
                "text" => text(message()?),
                _ => None,
            },
        }
    }
}

/// A capture as a path's template gets it: the tail capture is marked as safe.
fn path_param(params: &Params, name: &str) -> Option<Value> {
    if name == TAIL {
        return params.tail().map(Value::from);
    }
    let value = params.get(name)?;
    let tail = params.tail.as_deref() == Some(name);
    Some(if tail { Value::from_safe_string(value.to_owned()) } else { Value::from(value) })
}

impl Object for Part {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.get_value_by_str(key.as_str()?)
    }

    fn get_value_by_str(self: &Arc<Self>, key: &str) -> Option<Value> {
        self.view.member(&self.context, self.of_request, key)
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        let names = match self.view {
            View::Headers | View::HeadersAll => {
                let keys = self.message().map(|message| message.headers.keys());
                keys.into_iter().flatten().map(|name| Value::from(name.as_str())).collect()
            }
            View::Query | View::QueryAll => {
                let query = self.message().and_then(|message| message.uri.query()).unwrap_or("");
                query::names(query).into_iter().map(Value::from).collect()
            }
            View::Params | View::PathParams => {
                self.context.known.facts.params.values.iter().map(|(name, _)| Value::from(name)).collect()
            }
            View::Vars => {
                let mut names: Vec<_> = self.context.vars.iter().map(|(name, _)| Value::from(name)).collect();
                names.sort();
                names.dedup();
                names
            }
            View::Client => return Enumerator::Str(&["ip", "certificate"]),
            View::Request => {
                return Enumerator::Str(&[
                    "method",
                    "path",
                    "query",
                    "query_all",
                    "headers",
                    "headers_all",
                    "body",
                    "text",
                ]);
            }
        };
        Enumerator::Values(names)
    }
}

fn header_text(value: &HeaderValue) -> Value {
    Value::from(String::from_utf8_lossy(value.as_bytes()))
}

fn all_values(message: &Message, name: &str) -> Option<Value> {
    let values = |name: &str| {
        let values: Vec<_> = message.headers.get_all(name).iter().map(header_text).collect();
        (!values.is_empty()).then(|| Value::from(values))
    };
    values(name).or_else(|| name.contains('_').then(|| values(&name.replace('_', "-")))?)
}

/// A query value as templates see it; an invalid escape is an error for whoever reads it.
fn decoded(value: Result<std::borrow::Cow<'_, str>, query::InvalidEscape>) -> Value {
    match value {
        Ok(text) => Value::from(text),
        Err(error) => Value::from(Error::new(ErrorKind::InvalidOperation, error.to_string())),
    }
}
