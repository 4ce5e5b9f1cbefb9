//! A call: publish, and wait for what the function's mode says.

use std::{
    convert::Infallible,
    time::{Duration, Instant},
};

use async_nats::{Message, PublishError, StatusCode as NatsStatus, Subject};
use callgate_core::{Body, CallContext, Response, UpstreamError};
use serde_json::Map;
use tokio::time::timeout_at;

use crate::{
    acknowledgement,
    error::NatsError,
    function::{Call, Function, Wait},
    link::Link,
    mailbox::Marked,
    replies, response,
    shape::Parts,
    trust::Turn,
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
    let Turn { connects, unproven } = link.turn(&subject).await?;
    let mut denial = link.denial(&subject);
    let sent = match headers {
        Some(headers) => link.client.publish_with_headers(subject.clone(), headers, payload).await,
        None => link.client.publish(subject.clone(), payload).await,
    };
    sent.map_err(|source| unpublished(&subject, source))?;
    let refusals = async { if unproven.is_some() { link.refusals.known().await } else { Ok(true) } };
    let settled = async { tokio::try_join!(link.mailbox.mark(connects), refusals) };
    let (marked, known) = tokio::select! {
        () = denial.refused() => return Err(NatsError::Denied { subject: subject.to_string() }),
        settled = settled => settled?,
    };
    // A refusal that is known by now counts even if the mark is back.
    if denial.is_refused() {
        return Err(NatsError::Denied { subject: subject.to_string() });
    }
    if marked == Marked::Unknown || !known {
        return Err(NatsError::Unknown { subject: subject.to_string() });
    }
    if unproven.is_some() {
        if denial.may_be_missed() {
            return Err(NatsError::Unknown { subject: subject.to_string() });
        }
        link.trust.prove(&subject, connects);
    }
    Ok(())
}

/// Publishes and waits for one reply.
async fn ask(link: &Link, subject: Subject, message: Parts) -> Result<Message, NatsError> {
    let awaited = link.mailbox.expect().await?;
    let reply = async { awaited.reply.await.map_err(|_| NatsError::Unknown { subject: subject.to_string() }) };
    exchange(link, &subject, awaited.inbox, message, reply).await
}

/// Publishes with a place for replies and waits for what they bring, unless the server refuses the subject.
pub(crate) async fn exchange<T>(
    link: &Link,
    subject: &Subject,
    inbox: Subject,
    (headers, payload): Parts,
    wait: impl Future<Output = Result<T, NatsError>>,
) -> Result<T, NatsError> {
    let Turn { connects, unproven } = link.turn(subject).await?;
    let mut denial = link.denial(subject);
    let sent = match headers {
        Some(headers) => link.client.publish_with_reply_and_headers(subject.clone(), inbox, headers, payload).await,
        None => link.client.publish_with_reply(subject.clone(), inbox, payload).await,
    };
    sent.map_err(|source| unpublished(subject, source))?;
    // Its refusal takes the place of others', so it keeps its turn until that has come, but not until the reply has.
    let passed = async {
        if let Some(turn) = unproven {
            // Whatever comes of it, there is nothing more to wait for.
            drop(link.mailbox.mark(connects).await);
            drop(turn);
        }
        std::future::pending::<Infallible>().await
    };
    let done = tokio::select! {
        done = wait => done?,
        () = denial.refused() => return Err(NatsError::Denied { subject: subject.to_string() }),
        never = passed => match never {},
    };
    link.trust.prove(subject, connects);
    Ok(done)
}

fn unpublished(subject: &Subject, source: PublishError) -> NatsError {
    NatsError::Publish { subject: subject.to_string(), source }
}
