//! Several replies as one streamed response.

use std::time::Duration;

use async_nats::{Message, StatusCode, Subject, Subscriber};
use callgate_core::{Body, BodyError, Response};
use futures_util::{StreamExt, stream};
use http_body::Frame;
use http_body_util::StreamBody;
use tokio::sync::mpsc;

use crate::{error::NatsError, known::Pulse, link::Link, proof::exchange, response, shape::Parts};

/// Replies of one streamed response that wait for a slow client.
const WAITING: usize = 1024;

/// Why a streamed response breaks off.
#[derive(Debug, thiserror::Error)]
enum Broken {
    #[error("the connection to NATS was lost between two replies")]
    Lost,
    #[error("replies came faster than they could be sent on, and some were dropped")]
    Overrun,
}

struct Replies {
    replies: mpsc::Receiver<Result<Message, Broken>>,
    pulse: Pulse,
    left: u32,
    idle: Option<Duration>,
}

/// Asks, waits for the first reply and streams the others as they come.
pub(crate) async fn begin(
    link: &Link,
    subject: &Subject,
    message: Parts,
    most: u32,
    idle: Option<Duration>,
) -> Result<Response, NatsError> {
    let pulse = link.pulse();
    let inbox = Subject::from(link.client.new_inbox());
    let mut subscriber = link.client.subscribe(inbox.clone()).await.map_err(NatsError::Subscribe)?;
    let mut replies_pulse = pulse.clone();
    let first = async {
        tokio::select! {
            first = subscriber.next() => first.ok_or_else(|| NatsError::Unknown { subject: subject.to_string() }),
            () = replies_pulse.stop() => Err(NatsError::Unknown { subject: subject.to_string() }),
        }
    };
    let first = exchange(link, subject, inbox, message, first).await?;
    if first.status == Some(StatusCode::NO_RESPONDERS) {
        return Err(NatsError::NoResponder { subject: subject.to_string() });
    }
    let last = first.payload.is_empty();
    let response = response::of(subject, first)?;
    let left = if last { 0 } else { most.saturating_sub(1) };
    let (head, first) = response.into_parts();
    let (to, replies) = mpsc::channel(WAITING);
    link.context.spawn(forward(subscriber, to));
    let replies = Replies { replies, pulse, left, idle };
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
            next = self.replies.recv() => next.unwrap_or(Err(Broken::Overrun)),
            () = idle => return None,
        };
        match next {
            Ok(message) if !message.payload.is_empty() => Some(Ok(message)),
            Ok(_) => None,
            Err(why) => {
                self.left = 0;
                broken(why)
            }
        }
    }
}

/// Hands replies on for as long as somebody takes them. What the subscription itself may hold is for all calls together.
async fn forward(mut subscriber: Subscriber, to: mpsc::Sender<Result<Message, Broken>>) {
    loop {
        let next = tokio::select! {
            () = to.closed() => return,
            next = subscriber.next() => next,
        };
        let over = next.is_none();
        // Whoever misses a reply finds the end.
        if to.try_send(next.ok_or(Broken::Lost)).is_err() || over {
            return;
        }
    }
}
