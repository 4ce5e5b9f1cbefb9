//! A call: publish, and wait for what the function's mode says.

use std::{
    pin::pin,
    time::{Duration, Instant},
};

use callgate_core::{Body, Response, UpstreamError};
use callgate_message::Whole;
use lapin::message::Delivery;
use serde_json::Map;
use tokio::time::timeout_at;

use crate::{
    error::AmqpError,
    function::{Call, Function},
    lane::Taken,
    link::Link,
    outgoing::target,
    response,
    target::Mode,
};

/// How much earlier than the whole exchange a call ends, so that it can say what is unknown.
const LAST_WORD: Duration = Duration::from_millis(10);

/// Publishes the message of a request and makes the response.
pub(crate) async fn perform(link: &Link, function: &Function, whole: &Whole) -> Result<Response, UpstreamError> {
    let context = whole.context();
    let deadline = context.deadline().and_then(|deadline| deadline.checked_sub(LAST_WORD));
    let patience = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
    let Call { message, accepted } = function.message(whole, patience)?;
    let session = link.session()?;
    let reply = function.mode == Mode::Request;
    // Where it lies it is waited for: it is large.
    let publish = pin!(session.publish(&message, reply));
    let taken = match deadline {
        None => publish.await,
        Some(deadline) => match timeout_at(deadline.into(), publish).await {
            Ok(taken) => taken,
            // What is not on its way yet never will be.
            Err(_) if message.withdraw() => Err(AmqpError::Busy { target: target(&message) }),
            Err(_) if reply => Err(AmqpError::NoReply { target: target(&message) }),
            Err(_) => Err(AmqpError::Late { target: target(&message) }),
        },
    };
    match taken? {
        Taken::Confirmed => Ok(accepted.into_response(context, Map::new())),
        Taken::Replied(delivery) => {
            let Delivery { properties, data, .. } = *delivery;
            Ok(response::of(&message, &properties, data)?.map(Body::from))
        }
    }
}
