//! A call: publish, and wait for what the function's mode says.

use std::time::{Duration, Instant};

use async_nats::{HeaderMap, Message, PublishError, StatusCode as NatsStatus, Subject};
use bytes::Bytes;
use callgate_core::{Body, CallContext, Response, UpstreamError};
use serde_json::Map;
use tokio::time::timeout_at;

use crate::{
    acknowledgement,
    error::NatsError,
    function::{Call, Function, Wait},
    link::{Denial, Link},
    mailbox::{Marked, Published},
    replies, response,
    shape::Parts,
};

/// How much earlier than the whole exchange a call ends, so that it can say what is unknown.
const LAST_WORD: Duration = Duration::from_millis(10);

/// Publishes the message and makes the response.
pub(crate) async fn perform(
    link: &Link,
    function: &Function,
    call: Call,
    context: &CallContext,
) -> Result<Response, UpstreamError> {
    link.check()?;
    let subject = call.subject.clone();
    let late = || NatsError::Late { subject: subject.to_string() };
    let deadline = context.deadline().and_then(|deadline| deadline.checked_sub(LAST_WORD));
    match function.wait {
        Wait::Taken => {
            in_time(deadline, late, publish(link, call.subject, call.message)).await?;
            Ok(call.accepted.into_response(context, Map::new()))
        }
        Wait::Stored { .. } => {
            let stored = in_time(deadline, late, ask(link, call.subject, call.message)).await?;
            let stored = acknowledgement::read(&subject, &stored)?;
            Ok(call.accepted.into_response(context, stored.told()))
        }
        Wait::Reply => {
            let reply = in_time(deadline, late, ask(link, call.subject, call.message)).await?;
            if reply.status == Some(NatsStatus::NO_RESPONDERS) {
                return Err(NatsError::NoResponder { subject: subject.to_string() }.into());
            }
            Ok(response::of(&subject, reply)?.map(Body::from))
        }
        Wait::Replies { most, idle } => {
            let replies = replies::begin(link, call.subject, call.message, most, idle);
            Ok(in_time(deadline, late, replies).await?)
        }
    }
}

/// Ends a wait with an error of our own, shortly before the core would.
async fn in_time<T>(
    deadline: Option<Instant>,
    late: impl FnOnce() -> NatsError,
    work: impl Future<Output = Result<T, NatsError>>,
) -> Result<T, NatsError> {
    match deadline {
        Some(deadline) => timeout_at(deadline.into(), work).await.unwrap_or_else(|_| Err(late())),
        None => work.await,
    }
}

/// Publishes and waits until the server has the message.
async fn publish(link: &Link, subject: Subject, (headers, payload): Parts) -> Result<(), NatsError> {
    let mut denial = link.denial(&subject);
    let published = Published { subject: subject.clone(), connects: link.connects() };
    let sent = match headers {
        Some(headers) => link.client.publish_with_headers(subject.clone(), headers, payload).await,
        None => link.client.publish(subject.clone(), payload).await,
    };
    sent.map_err(|source| unpublished(&subject, source))?;
    let settled = async {
        match link.mailbox.mark(published.clone()).await? {
            Marked::Unknown => return Err(NatsError::Unknown { subject: subject.to_string() }),
            Marked::Taken { trusted: true } => return Ok(false),
            Marked::Taken { trusted: false } => {}
        }
        if link.refusals.known().await? { Ok(true) } else { Err(NatsError::Unknown { subject: subject.to_string() }) }
    };
    // A refusal that is known by now counts even if the mark is back.
    let proven = tokio::select! {
        biased;
        refusal = denial.come() => return Err(refusal),
        settled = settled => settled?,
    };
    if proven {
        link.mailbox.trust(published).await?;
    }
    Ok(())
}

/// Publishes and waits for one reply.
async fn ask(link: &Link, subject: Subject, (headers, payload): Parts) -> Result<Message, NatsError> {
    let mut denial = link.denial(&subject);
    let awaited = link.mailbox.expect().await?;
    send(link, &subject, awaited.inbox, headers, payload).await?;
    refusable(&mut denial, async {
        awaited.reply.await.map_err(|_| NatsError::Unknown { subject: subject.to_string() })
    })
    .await
}

/// Publishes with a place for replies.
pub(crate) async fn send(
    link: &Link,
    subject: &Subject,
    inbox: Subject,
    headers: Option<HeaderMap>,
    payload: Bytes,
) -> Result<(), NatsError> {
    let sent = match headers {
        Some(headers) => link.client.publish_with_reply_and_headers(subject.clone(), inbox, headers, payload).await,
        None => link.client.publish_with_reply(subject.clone(), inbox, payload).await,
    };
    sent.map_err(|source| unpublished(subject, source))
}

/// Waits, unless the server refuses the subject.
pub(crate) async fn refusable<T>(
    denial: &mut Denial,
    wait: impl Future<Output = Result<T, NatsError>>,
) -> Result<T, NatsError> {
    tokio::select! {
        done = wait => done,
        refusal = denial.come() => Err(refusal),
    }
}

fn unpublished(subject: &Subject, source: PublishError) -> NatsError {
    NatsError::Publish { subject: subject.to_string(), source }
}
