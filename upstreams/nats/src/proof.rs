//! Messages to subjects that the server is not known to take: whether it refuses one is told after the fact, on a path of
//! its own.

use std::{convert::Infallible, time::Instant};

use async_nats::{Message, Subject};
use tokio::time::timeout_at;

use crate::{
    error::NatsError,
    link::Link,
    marks::Marked,
    places::{Awaits, Outcome},
    shape::Parts,
    trust::Turn,
};

/// Ends a wait with an error of our own, shortly before the core would.
pub(crate) async fn in_time<T>(
    deadline: Option<Instant>,
    subject: &Subject,
    work: impl Future<Output = Result<T, NatsError>>,
) -> Result<T, NatsError> {
    match deadline {
        Some(deadline) => timeout_at(deadline.into(), work)
            .await
            .unwrap_or_else(|_| Err(NatsError::Late { subject: subject.to_string() })),
        None => work.await,
    }
}

/// Publishes and waits until the server has the message.
pub(crate) async fn publish(link: &Link, subject: &Subject, message: Parts) -> Result<(), NatsError> {
    let Turn { connects, unproven } = link.turn(subject).await?;
    let mut denial = link.denial(subject);
    link.send(subject, None, message).await?;
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
        link.trust.prove(subject, connects);
    }
    Ok(())
}

/// Publishes and waits for one reply.
pub(crate) async fn ask(link: &Link, subject: &Subject, message: Parts) -> Result<Message, NatsError> {
    let place = link.mailbox.enter(Awaits::Reply, None, None)?;
    let inbox = link.mailbox.inbox(&place);
    let reply = async {
        match place.outcome().await {
            Outcome::Reply(reply) => Ok(*reply),
            _ => Err(NatsError::Unknown { subject: subject.to_string() }),
        }
    };
    exchange(link, subject, inbox, message, reply).await
}

/// Publishes with a place for replies and waits for what they bring, unless the server refuses the subject.
pub(crate) async fn exchange<T>(
    link: &Link,
    subject: &Subject,
    inbox: Subject,
    message: Parts,
    wait: impl Future<Output = Result<T, NatsError>>,
) -> Result<T, NatsError> {
    let Turn { connects, unproven } = link.turn(subject).await?;
    let mut denial = link.denial(subject);
    link.send(subject, Some(inbox), message).await?;
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
