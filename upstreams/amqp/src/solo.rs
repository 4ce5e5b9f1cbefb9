//! A message that goes alone, on a channel of its own: if the broker refuses it, nothing else suffers.

use std::sync::Arc;

use futures_util::StreamExt;
use lapin::{
    Confirmation, Connection,
    options::{BasicConsumeOptions, ConfirmSelectOptions},
    types::{FieldTable, ShortString},
};

use crate::{
    error::AmqpError,
    function::DIRECT_REPLY,
    key,
    lane::{Outcome, Taken},
    outgoing::{Outgoing, target},
    refusal::{Cause, Refusal},
    session::Limits,
};

/// Publishes the message and waits for what comes of it; `permit` is held until the broker has decided. The channel is
/// closed when it is dropped.
pub(crate) async fn publish<P>(
    connection: &Connection,
    limits: &Arc<Limits>,
    message: &Arc<Outgoing>,
    permit: P,
    reply: bool,
) -> Outcome {
    let unsent = |error: lapin::Error| AmqpError::Channel(error);
    let channel = connection.create_channel().await.map_err(unsent)?;
    channel.confirm_select(ConfirmSelectOptions::default()).await.map_err(unsent)?;
    let replies = if reply {
        let options = BasicConsumeOptions { no_ack: true, ..BasicConsumeOptions::default() };
        let (queue, tag) = (key::short(DIRECT_REPLY), ShortString::default());
        Some(channel.basic_consume(queue, tag, options, FieldTable::default()).await.map_err(unsent)?)
    } else {
        None
    };
    if !message.hand_over() {
        return Err(AmqpError::Busy { target: target(message) });
    }
    let confirmation = message.publish(&channel).await.map_err(|error| refused(limits, message, &error))?;
    message.standing.taken(limits.session, message.payload.len());
    drop(permit);
    match confirmation {
        Confirmation::Ack(None) | Confirmation::NotRequested => {}
        Confirmation::Nack(_) => return Err(AmqpError::Nacked { target: target(message) }),
        Confirmation::Ack(Some(returned)) => {
            let told = format!("{} ({})", returned.reply_text, returned.reply_code);
            return Err(AmqpError::Returned { target: target(message), told });
        }
    }
    let Some(mut replies) = replies else { return Ok(Taken::Confirmed) };
    while let Some(Ok(delivery)) = replies.next().await {
        let id = delivery.properties.correlation_id().as_ref().map_or("", ShortString::as_str);
        if id == message.correlation_id() {
            return Ok(Taken::Replied(Box::new(delivery)));
        }
    }
    Err(AmqpError::ReplyLost { target: target(message) })
}

/// The channel was closed over the only message that it had, or the connection was lost.
fn refused(limits: &Limits, message: &Outgoing, error: &lapin::Error) -> AmqpError {
    let Some(refusal) = Refusal::of(error) else {
        return AmqpError::Unknown { target: target(message), why: Some(error.to_string()) };
    };
    message.standing.refused(limits.session, refusal.cause == Cause::Key);
    if let Cause::TooLarge { most: Some(most) } = refusal.cause {
        limits.learn(most);
    }
    AmqpError::Rejected { target: target(message), refusal }
}
