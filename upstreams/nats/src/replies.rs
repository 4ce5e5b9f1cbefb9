//! Several replies as one streamed response.

use std::time::Duration;

use async_nats::{Message, StatusCode, Subject, Subscriber};
use callgate_core::{Body, BodyError, Response};
use futures_util::{StreamExt, stream};
use http_body::Frame;
use http_body_util::StreamBody;

use crate::{
    call::{refusable, send},
    error::NatsError,
    link::{Link, Pulse},
    response,
    shape::Parts,
};

/// Why a streamed response breaks off.
#[derive(Debug, thiserror::Error)]
enum Broken {
    #[error("the connection to NATS was lost between two replies")]
    Lost,
    #[error("replies came faster than they could be sent on, and some were dropped")]
    Overrun,
}

struct Replies {
    subscriber: Subscriber,
    pulse: Pulse,
    left: u32,
    idle: Option<Duration>,
}

/// Asks, waits for the first reply and streams the others as they come.
pub(crate) async fn begin(
    link: &Link,
    subject: Subject,
    (headers, payload): Parts,
    most: u32,
    idle: Option<Duration>,
) -> Result<Response, NatsError> {
    let mut denial = link.denial(&subject);
    let pulse = link.pulse();
    let inbox = Subject::from(link.client.new_inbox());
    let mut subscriber = link.client.subscribe(inbox.clone()).await.map_err(NatsError::Subscribe)?;
    send(link, &subject, inbox, headers, payload).await?;
    let mut replies_pulse = pulse.clone();
    let first = refusable(&mut denial, async {
        tokio::select! {
            first = subscriber.next() => first.ok_or_else(|| NatsError::Unknown { subject: subject.to_string() }),
            () = replies_pulse.stop() => Err(NatsError::Unknown { subject: subject.to_string() }),
        }
    })
    .await?;
    if first.status == Some(StatusCode::NO_RESPONDERS) {
        return Err(NatsError::NoResponder { subject: subject.to_string() });
    }
    let last = first.payload.is_empty();
    let response = response::of(&subject, first)?;
    let left = if last { 0 } else { most.saturating_sub(1) };
    let (head, first) = response.into_parts();
    let replies = Replies { subscriber, pulse, left, idle };
    let begun = stream::iter((!first.is_empty()).then(|| Ok(Frame::data(first))));
    let rest = stream::unfold(replies, |mut replies| async {
        let next = replies.next().await?;
        Some((next.map(|message| Frame::data(message.payload)), replies))
    });
    let body = StreamBody::new(begun.chain(rest));
    Ok(Response::from_parts(head, Body::new(body)))
}

impl Replies {
    /// The next reply, until there are enough, an empty one, or none for long.
    async fn next(&mut self) -> Option<Result<Message, BodyError>> {
        if self.left == 0 {
            return None;
        }
        self.left -= 1;
        let idle = async {
            match self.idle {
                Some(idle) => tokio::time::sleep(idle).await,
                None => std::future::pending().await,
            }
        };
        let broken = |why| Some(Err(BodyError::Cut(Box::new(why))));
        let next = tokio::select! {
            biased;
            () = self.pulse.stop() => {
                self.left = 0;
                return broken(if self.pulse.is_overrun() { Broken::Overrun } else { Broken::Lost });
            }
            next = self.subscriber.next() => next,
            () = idle => None,
        };
        match next {
            Some(message) if !message.payload.is_empty() => Some(Ok(message)),
            _ => None,
        }
    }
}
