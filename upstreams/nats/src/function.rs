//! A function, bound: its templates compiled, everything that doesn't change from call to call ready.

use std::time::Duration;

use bytes::Bytes;
use callgate_core::{CallContext, Invalid, Invocation, UpstreamError};
use callgate_transform::{Glob, Located, Payload as Read, Scope, Shape, Template, Text};
use http::{HeaderName, Request, StatusCode, request::Parts};

use crate::{
    shape::{self, Message},
    subject::Subject,
    target::{Mode, Payload, Target},
};

/// A subject with all that is done with it.
#[derive(Debug)]
pub struct Function {
    subject: Subject,
    payload: Payload,
    forward: Vec<Glob>,
    set: Vec<(HeaderName, Template)>,
    message_id: Option<Template>,
    /// What is waited for.
    pub(crate) wait: Wait,
    answer: Answer,
}

/// What is waited for, with its options.
#[derive(Debug, Clone)]
pub(crate) enum Wait {
    Taken,
    Stored { stream: Option<String> },
    Reply,
    Replies { most: u32, idle: Option<Duration> },
}

#[derive(Debug)]
struct Answer {
    status: StatusCode,
    body: Option<Shape>,
}

/// A call, ready to be published.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) subject: async_nats::Subject,
    pub(crate) message: Message,
    /// The client's answer, where it depends on the request.
    pub(crate) answer: Option<Bytes>,
}

impl Function {
    /// Compiles a target.
    pub(crate) fn compile(target: &Target) -> Result<Self, Invalid> {
        let set = target.headers.set.0.iter().map(|(name, value)| {
            let field = format!("headers.set.{}", name.value);
            let header = HeaderName::try_from(&name.value)
                .map_err(|_| Invalid::new(format!("`{}` is no header's name", name.value)).at(&field))?;
            Ok::<_, Invalid>((header, template(value, &field)?))
        });
        let body = target.reply.as_ref().and_then(|answer| answer.body.as_ref());
        let body = body.map(|tree| Shape::new(tree).map_err(|flaws| Invalid::from(flaws).at("reply.body")));
        let status = target.reply.as_ref().and_then(|answer| StatusCode::from_u16(answer.status).ok());
        Ok(Self {
            subject: Subject::compile(&target.subject, &target.allow)?,
            payload: target.payload,
            forward: target.headers.forward.iter().map(|glob| Glob::new(&glob.to_ascii_lowercase())).collect(),
            set: set.collect::<Result<_, _>>()?,
            message_id: target.message_id.as_ref().map(|source| template(source, "message_id")).transpose()?,
            wait: wait(target),
            answer: Answer { status: status.unwrap_or(StatusCode::ACCEPTED), body: body.transpose()? },
        })
    }

    /// The message for a request.
    pub(crate) fn message(&self, head: &Parts, body: Bytes, context: &CallContext) -> Result<Call, UpstreamError> {
        let templates = self.subject.is_template()
            || !self.set.is_empty()
            || self.message_id.is_some()
            || self.answer.body.is_some();
        let scope = templates.then(|| Scope::of_request(head, &Read::from(body.clone()), context.exchange()));
        let scope = scope.as_ref();
        let subject = self.subject.render(scope)?;
        let mut headers = shape::forwarded(&head.headers, &self.forward);
        if let Some(scope) = scope {
            for (name, template) in &self.set {
                let value = template
                    .render(scope)
                    .map_err(|error| UpstreamError::unrendered("a header could not be rendered", error))?;
                shape::set(&mut headers, name, &value)?;
            }
        }
        if let Wait::Stored { stream } = &self.wait {
            let id = match (&self.message_id, scope) {
                (Some(template), Some(scope)) => Some(
                    template
                        .render(scope)
                        .map_err(|error| UpstreamError::unrendered("the id could not be rendered", error))?,
                ),
                _ => shape::idempotency_key(&head.headers),
            };
            shape::deduplicate(&mut headers, id.as_deref(), stream.as_deref())?;
        }
        let answer = match (&self.answer.body, scope) {
            (Some(shape), Some(scope)) => {
                let rendered = shape.render_bytes(scope);
                Some(
                    rendered
                        .map_err(|error| UpstreamError::unrendered("the answer could not be rendered", error))?
                        .into(),
                )
            }
            _ => None,
        };
        let payload = match self.payload {
            Payload::Raw => body,
            Payload::Http => {
                shape::set(&mut headers, &http::header::CONTENT_TYPE, "application/json")?;
                shape::envelope(head, &body, context)
            }
        };
        Ok(Call { subject, message: Message { headers, payload }, answer })
    }

    /// The message as text, as `nats pub` would be told it. `None` where a value of the request does not fit.
    pub(crate) fn preview(&self, invocation: &Invocation) -> Option<String> {
        let mut head = Request::new(()).into_parts().0;
        head.method = invocation.request.method().clone();
        head.uri = invocation.request.uri().clone();
        head.headers = invocation.request.headers().clone();
        let body = invocation.request.body().as_bytes().map(Bytes::copy_from_slice).unwrap_or_default();
        let call = self.message(&head, body, &invocation.context).ok()?;
        let mut text = format!("subject: {}\n", call.subject);
        let mut lines: Vec<_> = call
            .message
            .headers
            .iter()
            .flat_map(|(name, values)| values.iter().map(move |value| format!("{name}: {}\n", value.as_str())))
            .collect();
        lines.sort_unstable();
        text.extend(lines);
        text.push('\n');
        text.push_str(&String::from_utf8_lossy(&call.message.payload));
        Some(text)
    }

    /// The status of the client's answer.
    pub(crate) fn status(&self) -> StatusCode {
        self.answer.status
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
