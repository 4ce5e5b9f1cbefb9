//! A call: publish, and wait for what the function's mode says.

use std::time::{Duration, Instant};

use async_nats::{Message, StatusCode as NatsStatus, Subject};
use callgate_core::{Body, CallContext, Response, UpstreamError};
use serde_json::Value;

use crate::{
    acknowledgement,
    error::NatsError,
    function::{Call, Function, Wait},
    link::Link,
    places::{Awaits, Outcome},
    proof::{self, in_time},
    replies, response,
    shape::Parts,
};

/// How much earlier than the whole exchange a call ends, so that it can say what is unknown.
const LAST_WORD: Duration = Duration::from_millis(10);

/// What a server tells of a message that it has.
const NOTHING: [(&str, Value); 0] = [];

/// Publishes the message by a connection that is up, and makes the response.
pub(crate) async fn perform(
    link: &Link,
    function: &Function,
    call: Call,
    context: &CallContext,
) -> Result<Response, UpstreamError> {
    let Call { subject, message, accepted } = call;
    let deadline = context.deadline().and_then(|deadline| deadline.checked_sub(LAST_WORD));
    match function.wait {
        Wait::Taken => {
            publish(link, &subject, message, deadline).await?;
            Ok(accepted.into_response(context, NOTHING))
        }
        Wait::Stored { .. } => {
            let stored = ask(link, &subject, message, deadline).await?;
            let stored = acknowledgement::read(&subject, &stored)?;
            Ok(accepted.into_response(context, stored.told()))
        }
        Wait::Reply => {
            let reply = ask(link, &subject, message, deadline).await?;
            if reply.status == Some(NatsStatus::NO_RESPONDERS) {
                return Err(NatsError::NoResponder { subject: subject.to_string() }.into());
            }
            Ok(response::of(&subject, reply)?.map(Body::from))
        }
        Wait::Replies { most, idle } => {
            let replies = replies::begin(link, &subject, message, most, idle);
            Ok(Box::pin(in_time(deadline, &subject, replies)).await?)
        }
    }
}

/// Publishes and waits until the server has the message.
async fn publish(link: &Link, subject: &Subject, message: Parts, deadline: Option<Instant>) -> Result<(), NatsError> {
    let Some(connects) = link.trusts(subject) else {
        return Box::pin(in_time(deadline, subject, proof::publish(link, subject, message))).await;
    };
    let place = link.mailbox.enter(Awaits::Mark, Some(subject), deadline)?;
    link.send(subject, None, message).await?;
    place.published(connects);
    match place.outcome().await {
        Outcome::Taken => Ok(()),
        outcome => Err(failed(subject, &outcome)),
    }
}

/// Publishes and waits for one reply.
async fn ask(link: &Link, subject: &Subject, message: Parts, deadline: Option<Instant>) -> Result<Message, NatsError> {
    if link.trusts(subject).is_none() {
        return Box::pin(in_time(deadline, subject, proof::ask(link, subject, message))).await;
    }
    let place = link.mailbox.enter(Awaits::Reply, Some(subject), deadline)?;
    link.send(subject, Some(link.mailbox.inbox(&place)), message).await?;
    match place.outcome().await {
        Outcome::Reply(reply) => Ok(*reply),
        outcome => Err(failed(subject, &outcome)),
    }
}

fn failed(subject: &Subject, outcome: &Outcome) -> NatsError {
    let subject = subject.to_string();
    match outcome {
        Outcome::Denied => NatsError::Denied { subject },
        Outcome::Late => NatsError::Late { subject },
        Outcome::Unknown | Outcome::Taken | Outcome::Reply(_) => NatsError::Unknown { subject },
    }
}
