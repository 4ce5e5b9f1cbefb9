//! One stream after the other: a request, its answer, and the answer's body.

use std::{
    convert::Infallible,
    future::{Future, poll_fn},
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use callgate_core::{Body, Connection};
use h2::server::SendResponse;
use http::{Method, Request, Response};

use super::{body::received, place::Place, reply};
use crate::server::{activity::Activity, answer::Answer, connection::Shared, message::Running};

/// Serves the streams of a place. Dropping the future abandons the one that is being served.
pub(super) async fn serve<A: Answer>(
    place: Arc<Place>,
    shared: Arc<Shared<A>>,
    connection: Arc<Connection>,
    activity: Arc<Activity>,
) -> Infallible {
    loop {
        let (request, mut respond) = place.next().await;
        let running = Running::new(&activity);
        let head_only = request.method() == Method::HEAD;
        let response = {
            let (head, stream) = request.into_parts();
            let body = received(stream, &head.headers, &activity);
            let mut answered = pin!(shared.answer.answer(Request::from_parts(head, body), &connection));
            poll_fn(|cx| poll_answer(answered.as_mut(), &mut respond, cx)).await
        };
        if let Some(response) = response
            && let Some((body, out)) = reply::begin(&mut respond, response, head_only)
        {
            reply::stream(body, out).await;
        }
        drop(running);
    }
}

/// Waits for the answer; `None` once the client does not.
fn poll_answer(
    answered: Pin<&mut impl Future<Output = Response<Body>>>,
    respond: &mut SendResponse<Bytes>,
    cx: &mut Context<'_>,
) -> Poll<Option<Response<Body>>> {
    if let Poll::Ready(response) = answered.poll(cx) {
        return Poll::Ready(Some(response));
    }
    respond.poll_reset(cx).map(|_| None)
}
