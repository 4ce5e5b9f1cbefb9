//! The names at the top of a template's scope.

use std::sync::Arc;

use minijinja::value::{Enumerator, Object, Value};

use super::{
    Context,
    absent::absent,
    body::{body, text},
    message_view::{Part, View},
};
use crate::error::Side;

/// The names in reach of a request's templates.
pub(crate) const REQUEST_NAMES: &[&str] = &[
    "method",
    "path",
    "params",
    "query",
    "query_all",
    "headers",
    "headers_all",
    "body",
    "text",
    "vars",
    "client",
    "claims",
    "route",
    "request_id",
];

/// The names in reach of a response's templates. Method, path and query are the request's.
pub(crate) const RESPONSE_NAMES: &[&str] = &[
    "method",
    "path",
    "params",
    "query",
    "query_all",
    "headers",
    "headers_all",
    "body",
    "text",
    "vars",
    "client",
    "claims",
    "route",
    "request_id",
    "status",
    "request",
    "error",
];

impl Object for Context {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.get_value_by_str(key.as_str()?)
    }

    fn get_value_by_str(self: &Arc<Self>, key: &str) -> Option<Value> {
        let part = |view| Some(Part::value(self, view, false));
        let of_request = |view| Some(Part::value(self, view, self.side == Side::Response));
        match key {
            "headers" => part(View::Headers),
            "headers_all" => part(View::HeadersAll),
            "vars" => part(View::Vars),
            "body" => Some(body(&self.message).unwrap_or_else(absent)),
            "text" => text(&self.message),
            "params" => part(View::Params),
            "query" => of_request(View::Query),
            "query_all" => of_request(View::QueryAll),
            "method" => Some(Value::from(self.asked()?.method.as_str())),
            "path" => Some(Value::from(self.asked()?.uri.path())),
            "client" => part(View::Client),
            "claims" => Some(self.known.claims().unwrap_or_else(absent)),
            "route" => Some(Value::from(&self.known.facts.route)),
            "request_id" => Some(Value::from(self.known.facts.request_id())),
            "status" if self.side == Side::Response => Some(Value::from(self.message.status.as_u16())),
            "error" if self.side == Side::Response => Some(Value::from(self.error.as_deref())),
            "request" if self.side == Side::Response => {
                self.request.is_some().then(|| Part::value(self, View::Request, true))
            }
            _ => None,
        }
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Str(match self.side {
            Side::Request => REQUEST_NAMES,
            Side::Response => RESPONSE_NAMES,
        })
    }
}

impl Context {
    /// A name in reach; undefined when there is nothing of that name.
    pub(crate) fn named(self: &Arc<Self>, name: &str) -> Value {
        self.get_value_by_str(name).unwrap_or(Value::UNDEFINED)
    }

    /// A member of one of the message's own mappings, undefined when it has none of that name, or nothing when the
    /// name is no such mapping. Saves making the mapping.
    pub(crate) fn member(self: &Arc<Self>, mapping: &str, name: &str) -> Option<Value> {
        let view = match mapping {
            "headers" => View::Headers,
            "params" => View::Params,
            "vars" => View::Vars,
            "query" => View::Query,
            "claims" => return Some(self.known.claim(name)),
            _ => return None,
        };
        Some(view.member(self, view == View::Query && self.side == Side::Response, name).unwrap_or(Value::UNDEFINED))
    }

    /// The request that is, or was, asked.
    pub(crate) fn asked(&self) -> Option<&crate::message::Message> {
        match self.side {
            Side::Request => Some(&self.message),
            Side::Response => self.request.as_deref(),
        }
    }
}

/// A root whose tail capture is marked as safe, which the path's formatter understands.
#[derive(Debug)]
pub(super) struct PathRoot(pub(super) Arc<Context>);

impl Object for PathRoot {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.get_value_by_str(key.as_str()?)
    }

    fn get_value_by_str(self: &Arc<Self>, key: &str) -> Option<Value> {
        match key {
            "params" => Some(Part::value(&self.0, View::PathParams, false)),
            _ => self.0.get_value_by_str(key),
        }
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        self.0.enumerate()
    }
}
