//! How requests become messages, compiled.

use callgate_core::UpstreamError;
use callgate_transform::{CloudEvents, Glob, Shape, Template};
use http::StatusCode;

use crate::{
    accepted::Accepted,
    binding::{Binding, begins},
    envelope, event, headers,
    message::Message,
    whole::Whole,
};

/// How requests become messages: what [`Options`](crate::Options) say, compiled for a protocol.
#[derive(Debug)]
pub struct Form {
    pub(crate) binding: &'static Binding,
    pub(crate) content: Content,
    pub(crate) forward: Vec<Glob>,
    pub(crate) set: Vec<(Box<str>, Template)>,
    pub(crate) status: StatusCode,
    pub(crate) answer: Option<Shape>,
}

#[derive(Debug)]
pub(crate) enum Content {
    Raw,
    Http,
    Event { events: Box<CloudEvents>, structured: bool },
}

/// What is made of a request.
#[derive(Debug)]
pub struct Draft {
    /// The message to send.
    pub message: Message,
    /// What the client is answered once it is taken.
    pub accepted: Accepted,
}

impl Form {
    /// The message for a request, and the answer to come.
    ///
    /// # Errors
    /// A template does not fit the request, a value would break out of its header, or an event that the request brings
    /// is malformed: the client's errors.
    pub fn draft(&self, whole: &Whole) -> Result<Draft, UpstreamError> {
        let mut message = Message::default();
        let is_event = matches!(self.content, Content::Event { .. });
        // The attributes of an event go with it or not at all.
        let all = whole.context().carries_all_headers();
        let wanted = |name: &str| {
            let chosen = || all || self.forward.iter().any(|glob| glob.matches(name));
            headers::goes_always(name) || (!(is_event && begins(name, "ce-")) && chosen())
        };
        for (name, value) in headers::of_http(&whole.head().headers, self.binding, wanted) {
            message.push(name, value);
        }
        match &self.content {
            Content::Raw => message.payload = whole.body().clone(),
            Content::Http => {
                message.payload = envelope::of(whole);
                message.content_type = Some("application/json".to_owned());
                message.content_encoding = None;
            }
            Content::Event { events, structured: true } => event::structured(&event::of(events, whole)?, &mut message),
            Content::Event { events, structured: false } => {
                event::binary(&event::of(events, whole)?, self.binding, &mut message);
            }
        }
        for (name, template) in &self.set {
            message.set(name, whole.line(template, &format!("the header `{name}`"))?);
        }
        let answer = self.answer.as_ref().map(|shape| {
            let rendered = shape.render_bytes(whole.scope());
            rendered.map_err(|error| UpstreamError::unrendered("the answer could not be rendered", error))
        });
        let body = answer.transpose()?.map(Into::into);
        Ok(Draft { message, accepted: Accepted { status: self.status, body } })
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use crate::binding::Binding;

    pub(crate) const NATS: Binding = Binding {
        attributes: "ce-",
        also_understood: &[],
        escapes_attributes: true,
        repeats_content_type: true,
        reserved: &["nats-"],
    };
}
