//! A function, bound: its templates compiled, everything that doesn't change from call to call ready.

use std::time::Duration;

use callgate_core::{
    Invalid, Invocation, UpstreamError,
    upstream::{has_idempotency_key, is_idempotent},
};
use callgate_message::{Accepted, Draft, Form, Whole};
use callgate_transform::{Located, Template, Text};

use crate::{
    shape::{self, BINDING, Parts},
    subject::Subject,
    target::{Mode, Target},
};

/// A subject with all that is done with it.
#[derive(Debug)]
pub struct Function {
    subject: Subject,
    form: Form,
    message_id: Option<Template>,
    /// What is waited for.
    pub(crate) wait: Wait,
}

/// What is waited for, with its options.
#[derive(Debug, Clone)]
pub(crate) enum Wait {
    Taken,
    Stored { stream: Option<String> },
    Reply,
    Replies { most: u32, idle: Option<Duration> },
}

/// A call, ready to be published.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) subject: async_nats::Subject,
    pub(crate) message: Parts,
    /// What the client is answered once the message is taken.
    pub(crate) accepted: Accepted,
}

impl Function {
    /// Compiles a target.
    ///
    /// # Errors
    /// Everything that is wrong.
    pub(crate) fn compile(target: &Target) -> Result<Self, Vec<Invalid>> {
        let subject = Subject::compile(&target.subject, &target.allow);
        let message_id = target.message_id.as_ref().map(|source| template(source, "message_id")).transpose();
        match (subject, target.options().compile(&BINDING), message_id) {
            (Ok(subject), Ok(form), Ok(message_id)) => Ok(Self { subject, form, message_id, wait: wait(target) }),
            (subject, form, message_id) => {
                let found = subject.err().into_iter().chain(form.err().unwrap_or_default());
                Err(found.chain(message_id.err()).collect())
            }
        }
    }

    /// The message for a request.
    pub(crate) fn message(&self, whole: &Whole) -> Result<Call, UpstreamError> {
        let subject = self.subject.render(|| whole.scope())?;
        let Draft { message, accepted } = self.form.draft(whole)?;
        let message = match &self.wait {
            Wait::Stored { stream } => {
                let render = |template| {
                    let id = || whole.line(template, "the message's id");
                    whole.context().once("message_id", id)
                };
                let rendered = self.message_id.as_ref().map(render).transpose()?;
                // A dead letter tells of its message's fate, which others with the same key do not share.
                let own = !whole.context().carries_all_headers();
                let id = rendered.as_deref().or_else(|| whole.idempotency_key().filter(|_| own));
                shape::parts(message, &[("Nats-Msg-Id", id), ("Nats-Expected-Stream", stream.as_deref())])?
            }
            _ => shape::parts(message, &[])?,
        };
        Ok(Call { subject, message, accepted })
    }

    /// Whether a second message does no harm: a stream drops the repetition of an id. What answers a request is asked as
    /// over HTTP.
    pub(crate) fn is_idempotent(&self, invocation: &Invocation) -> bool {
        match &self.wait {
            Wait::Taken => false,
            Wait::Stored { .. } => {
                let by_key = has_idempotency_key(invocation) && !invocation.context.carries_all_headers();
                self.message_id.is_some() || by_key
            }
            Wait::Reply | Wait::Replies { .. } => is_idempotent(invocation),
        }
    }

    /// The message as text, as `nats pub` would be told it. `None` where a value of the request does not fit.
    pub(crate) fn preview(&self, whole: &Whole) -> Result<String, UpstreamError> {
        let Call { subject, message: (headers, payload), .. } = self.message(whole)?;
        Ok(shape::message(headers.as_ref(), payload).to_text(&[("subject", &subject)]))
    }
}

fn wait(target: &Target) -> Wait {
    let idle = target.idle_timeout.map(Duration::from);
    match (target.mode, target.max_replies, idle) {
        (Mode::Publish, ..) => Wait::Taken,
        (Mode::Jetstream, ..) => Wait::Stored { stream: target.expected_stream.clone() },
        (Mode::Request, None | Some(1), None) => Wait::Reply,
        (Mode::Request, most, idle) => Wait::Replies { most: most.unwrap_or(u32::MAX), idle },
    }
}

fn template(source: &Located<Text>, field: &str) -> Result<Template, Invalid> {
    Template::written(source).map_err(|flaw| Invalid::from(flaw).at(field))
}
