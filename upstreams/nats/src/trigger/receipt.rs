//! Settles messages.

use std::{sync::Arc, time::Duration};

use async_nats::Subject;
use bytes::Bytes;
use callgate_core::{ErrorKind, Redelivery, UpstreamError, trigger::Reply};
use callgate_message::Message;
use http::Response;

use crate::{
    error::NatsError,
    link::Link,
    shape::{self, BINDING},
};

/// The way to settle a message of NATS.
#[derive(Debug)]
pub struct Receipt {
    link: Arc<Link>,
    to: To,
}

#[derive(Debug)]
enum To {
    /// Whoever waits for a reply. A subject keeps nothing.
    Requester(Option<Subject>),
    /// The stream's consumer.
    Consumer { subject: Subject, lease: Duration },
}

impl Receipt {
    /// Of a message that nobody keeps.
    pub(super) fn of_subject(link: &Arc<Link>, reply: Option<Subject>) -> Self {
        Self { link: Arc::clone(link), to: To::Requester(reply) }
    }

    /// Of a message that a stream's consumer waits for.
    pub(super) fn of_consumer(link: &Arc<Link>, subject: Subject, lease: Duration) -> Self {
        Self { link: Arc::clone(link), to: To::Consumer { subject, lease } }
    }

    /// Tells the consumer; nobody else has to be told.
    async fn tell(&self, what: impl Into<Bytes>) -> Result<(), UpstreamError> {
        if let To::Consumer { subject, .. } = &self.to {
            tell(&self.link, subject, what.into()).await?;
        }
        Ok(())
    }
}

/// Tells a consumer what becomes of a message.
pub(super) async fn tell(link: &Link, subject: &Subject, what: Bytes) -> Result<(), NatsError> {
    let sent = link.client.publish(subject.clone(), what).await;
    sent.map_err(|source| NatsError::Publish { subject: subject.to_string(), source })
}

impl callgate_core::Receipt for Receipt {
    fn redelivery(&self) -> Redelivery {
        match self.to {
            To::Requester(_) => Redelivery::Uncounted,
            To::Consumer { .. } => Redelivery::Delayed,
        }
    }

    async fn ack(self) -> Result<(), UpstreamError> {
        self.tell("+ACK").await
    }

    async fn retry(self, delay: Duration) -> Result<(), UpstreamError> {
        self.tell(format!("-NAK {{\"delay\": {}}}", delay.as_nanos())).await
    }

    async fn give_back(self) -> Result<(), UpstreamError> {
        match self.to {
            To::Consumer { .. } => self.tell("-NAK").await,
            To::Requester(_) => {
                Err(UpstreamError::new(ErrorKind::Unavailable, "a subject of NATS keeps nothing: the message is lost"))
            }
        }
    }

    fn lease(&self) -> Option<Duration> {
        match self.to {
            To::Consumer { lease, .. } => Some(lease),
            To::Requester(_) => None,
        }
    }

    async fn renew(&self) -> Result<(), UpstreamError> {
        self.tell("+WPI").await
    }

    async fn reply(&self, reply: &Reply) -> Result<(), UpstreamError> {
        let To::Requester(Some(to)) = &self.to else { return Ok(()) };
        let (headers, payload) = encoded(reply)?;
        let sent = match headers {
            Some(headers) => self.link.client.publish_with_headers(to.clone(), headers, payload).await,
            None => self.link.client.publish(to.clone(), payload).await,
        };
        Ok(sent.map_err(|source| NatsError::Publish { subject: to.to_string(), source })?)
    }
}

/// A reply as NATS's service framework has it (ADR-32): a failure has a code and a text.
fn encoded(reply: &Reply) -> Result<shape::Parts, UpstreamError> {
    let mut response = Response::new(());
    *response.headers_mut() = reply.headers.clone();
    let message = Message::of_response(&BINDING, &response.into_parts().0, reply.body.clone());
    let failed = !reply.status.is_success();
    let code = failed.then(|| reply.status.as_u16().to_string());
    let text = reply.error.map(|code| code.title()).or_else(|| reply.status.canonical_reason());
    let text = text.filter(|_| failed);
    shape::parts(message, &[("Nats-Service-Error-Code", code.as_deref()), ("Nats-Service-Error", text)])
}

#[cfg(test)]
mod tests {
    use http::{HeaderValue, StatusCode};

    use super::*;

    fn header(reply: &Reply, name: &str) -> Option<String> {
        encoded(reply).unwrap().0?.get(name).map(|value| value.as_str().to_owned())
    }

    #[test]
    fn a_failure_is_told_from_a_success() {
        let mut reply = Reply::new(StatusCode::CREATED, "made");
        reply.headers.insert("x-kind", HeaderValue::from_static("k"));
        assert_eq!(encoded(&reply).unwrap().1, "made");
        assert_eq!(header(&reply, "x-kind").as_deref(), Some("k"));
        assert_eq!(header(&reply, "Nats-Service-Error-Code"), None);
        reply.status = StatusCode::NOT_FOUND;
        assert_eq!(header(&reply, "Nats-Service-Error-Code").as_deref(), Some("404"));
        assert_eq!(header(&reply, "Nats-Service-Error").as_deref(), Some("Not Found"));
        (reply.status, reply.error) = (StatusCode::GATEWAY_TIMEOUT, Some(callgate_core::Code::UpstreamTimeout));
        assert_eq!(header(&reply, "Nats-Service-Error").as_deref(), Some("Upstream timed out"));
    }
}
