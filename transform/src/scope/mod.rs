//! What templates can see while a message is shaped. Nothing is converted before a template asks for it.

mod absent;
mod body;
mod message_view;
mod root;

use std::sync::Arc;

use http::request::Parts;
use minijinja::Value;

use crate::{
    error::Side,
    exchange::{Exchange, Known, Vars},
    message::Message,
    payload::Payload,
};

pub(crate) use absent::is_missing;
pub(crate) use body::{form, json, raw_text, xml};
pub(crate) use message_view::TAIL;
pub(crate) use root::{REQUEST_NAMES, RESPONSE_NAMES};

/// The values in reach of a template, for one message.
#[derive(Debug)]
pub struct Scope {
    pub(crate) context: Arc<Context>,
}

/// A message in the state it had when the step began, and all that is known beside it.
#[derive(Clone, Debug)]
pub(crate) struct Context {
    pub(crate) side: Side,
    pub(crate) message: Message,
    pub(crate) known: Arc<Known>,
    pub(crate) vars: Vars,
    pub(crate) request: Option<Arc<Message>>,
    pub(crate) error: Option<Arc<str>>,
}

impl Scope {
    /// The values in reach for a request, as kinds use it for the templates of their targets.
    ///
    /// `vars` are those that the request's steps left in the exchange.
    #[must_use]
    pub fn of_request(parts: &Parts, payload: &Payload, exchange: &Exchange) -> Self {
        Self::new(Context {
            side: Side::Request,
            message: Message::of_request(&parts.method, &parts.uri, &parts.headers, payload.clone()),
            known: exchange.known(),
            vars: exchange.vars.clone(),
            request: None,
            error: None,
        })
    }

    pub(crate) fn new(context: Context) -> Self {
        Self { context: Arc::new(context) }
    }

    pub(crate) fn side(&self) -> Side {
        self.context.side
    }

    /// The context for editing. No template runs now, so nothing is copied.
    pub(crate) fn context_mut(&mut self) -> &mut Context {
        Arc::make_mut(&mut self.context)
    }

    pub(crate) fn into_context(self) -> Context {
        Arc::unwrap_or_clone(self.context)
    }

    /// The root of what templates see.
    pub(crate) fn root(&self) -> Value {
        Value::from_dyn_object(Arc::clone(&self.context))
    }

    /// The root of what a path's template sees: the tail capture is known as such.
    pub(crate) fn path_root(&self) -> Value {
        if self.context.known.facts.params.tail.is_some() {
            Value::from_object(root::PathRoot(Arc::clone(&self.context)))
        } else {
            self.root()
        }
    }
}
