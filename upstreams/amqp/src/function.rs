//! A function, bound: its templates compiled, everything that doesn't change from call to call ready.

use std::{sync::Arc, time::Duration};

use callgate_core::{
    Invalid, Invocation, UpstreamError,
    upstream::{has_idempotency_key, is_idempotent},
};
use callgate_message::{Accepted, Draft, Form, Message, Whole};
use callgate_transform::{Located, Template, Text};
use lapin::types::ShortString;

use crate::{
    key::{self, Key},
    outgoing::Outgoing,
    shape,
    standing::Standing,
    target::{Mode, Target},
};

/// The queue that stands for the channel on which a request is published (RabbitMQ's direct reply-to).
pub(crate) const DIRECT_REPLY: &str = "amq.rabbitmq.reply-to";

/// A routing key with all that is done with it.
#[derive(Debug)]
pub struct Function {
    key: Key,
    pub(crate) exchange: ShortString,
    /// What is waited for.
    pub(crate) mode: Mode,
    mandatory: bool,
    persistent: bool,
    priority: Option<u8>,
    expiration: Option<Duration>,
    message_id: Option<Template>,
    correlation_id: Option<Template>,
    reply_to: Option<Template>,
    kind: Option<Template>,
    app_id: Option<Template>,
    form: Form,
    /// What the broker is known to take of it.
    pub(crate) standing: Arc<Standing>,
}

/// A call, ready to be published.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) message: Arc<Outgoing>,
    /// The client's answer once the broker has it.
    pub(crate) accepted: Accepted,
}

impl Function {
    /// Compiles a target; `exchange` is the upstream's.
    pub(crate) fn compile(target: &Target, exchange: &str) -> Result<Self, Vec<Invalid>> {
        let mut found = Vec::new();
        let mut kept = |result: Result<Option<Template>, Invalid>| {
            result.unwrap_or_else(|flaw| {
                found.push(flaw);
                None
            })
        };
        let message_id = kept(template(target.message_id.as_ref(), "message_id"));
        let correlation_id = kept(template(target.correlation_id.as_ref(), "correlation_id"));
        let reply_to = kept(template(target.reply_to.as_ref(), "reply_to"));
        let kind = kept(template(target.kind.as_ref(), "type"));
        let app_id = kept(template(target.app_id.as_ref(), "app_id"));
        let form = target.options().compile(&shape::BINDING).map_err(|flaws| found.extend(flaws));
        let key = Key::compile(&target.routing_key, &target.allow).map_err(|flaw| found.push(flaw));
        let (Ok(key), Ok(form), true) = (key, form, found.is_empty()) else { return Err(found) };
        Ok(Self {
            key,
            exchange: key::short(target.exchange.as_deref().unwrap_or(exchange)),
            mode: target.mode,
            mandatory: target.mandatory.unwrap_or(true),
            persistent: target.persistent.unwrap_or(target.mode == Mode::Publish),
            priority: target.priority,
            expiration: target.expiration.map(Duration::from),
            message_id,
            correlation_id,
            reply_to,
            kind,
            app_id,
            form,
            standing: Arc::default(),
        })
    }

    /// The message for a request. `patience` is how long the client of a request will wait.
    pub(crate) fn message(&self, whole: &Whole, patience: Option<Duration>) -> Result<Call, UpstreamError> {
        let Draft { message, accepted } = self.form.draft(whole)?;
        let Message { headers, content_type, content_encoding, payload } = message;
        let mut head = shape::Head::new(content_type, content_encoding)?;
        head.headers(headers)?;
        let line = |template: &Option<Template>, what: &str| {
            let text = template.as_ref().map(|template| whole.line(template, what)).transpose()?;
            text.filter(|text| !text.is_empty()).map(|text| key::fitting(text, what)).transpose()
        };
        let id = self.message_id.as_ref().map(|template| {
            let id = || whole.line(template, "the message's id");
            whole.context().once("message_id", id)
        });
        let id = match id.transpose()?.filter(|id| !id.is_empty()) {
            Some(id) => key::fitting(id, "the message's id")?,
            None => match whole.idempotency_key() {
                Some(key) => key::fitting(key.to_owned(), "the idempotency key")?,
                None => key::short(&whole.context().request_id().to_string()),
            },
        };
        head.set(|properties| properties.with_message_id(id));
        if self.persistent {
            head.set(|properties| properties.with_delivery_mode(2));
        }
        if let Some(priority) = self.priority {
            head.set(|properties| properties.with_priority(priority));
        }
        let patience = patience.filter(|_| self.mode == Mode::Request);
        if let Some(expiration) = self.expiration.or(patience) {
            let milliseconds = expiration.as_millis().max(1).to_string();
            head.set(|properties| properties.with_expiration(key::short(&milliseconds)));
        }
        if let Some(kind) = line(&self.kind, "the message's type")? {
            head.set(|properties| properties.with_type(kind));
        }
        if let Some(id) = line(&self.app_id, "the application's id")? {
            head.set(|properties| properties.with_app_id(id));
        }
        match self.mode {
            Mode::Publish => {
                if let Some(id) = line(&self.correlation_id, "the correlation id")? {
                    head.set(|properties| properties.with_correlation_id(id));
                }
                if let Some(queue) = line(&self.reply_to, "the queue for an answer")? {
                    head.set(|properties| properties.with_reply_to(queue));
                }
            }
            Mode::Request => {
                let id = key::short(&format!("{:032x}", fastrand::u128(..)));
                head.set(|properties| properties.with_correlation_id(id).with_reply_to(key::short(DIRECT_REPLY)));
            }
        }
        let routing_key = self.key.render(whole)?;
        let message = Arc::new(Outgoing::new(self, routing_key, head, payload));
        Ok(Call { message, accepted })
    }

    /// Whether a second message does no harm. RabbitMQ drops none, but consumers know a repetition by the id that the
    /// route or the client gave it. What answers a request is asked as over HTTP.
    pub(crate) fn is_idempotent(&self, invocation: &Invocation) -> bool {
        match self.mode {
            Mode::Publish => self.message_id.is_some() || has_idempotency_key(invocation),
            Mode::Request => is_idempotent(invocation),
        }
    }

    /// Whether a message that no queue takes is to come back.
    pub(crate) const fn mandatory(&self) -> bool {
        self.mandatory
    }

    /// The message as text. `None` where a value of the request does not fit.
    pub(crate) fn preview(&self, whole: &Whole) -> Result<String, UpstreamError> {
        let call = self.message(whole, None)?;
        let message = self.form.draft(whole)?.message;
        let described = call.message.described();
        let heads: Vec<_> = described.iter().map(|(name, value)| (*name, value.as_str())).collect();
        Ok(message.to_text(&heads))
    }
}

fn template(source: Option<&Located<Text>>, field: &str) -> Result<Option<Template>, Invalid> {
    let Some(source) = source else { return Ok(None) };
    let template = Template::written(source).map_err(|flaw| Invalid::from(flaw).at(field))?;
    match template.as_constant() {
        Some(text) if text.len() > key::LONGEST => {
            Err(Invalid::new(format!("a property has at most {} bytes", key::LONGEST)).at(field))
        }
        _ => Ok(Some(template)),
    }
}
