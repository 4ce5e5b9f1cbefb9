//! The way of a connection: read a request, let it be answered, write the answer, again.

use std::{
    future::{Future, poll_fn},
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use callgate_core::{Connection, OnUpgrade, Upgraded};
use callgate_http::wire::WireError;
use http::{Request, Response, StatusCode};
use tokio::io::AsyncWrite as _;

use super::{
    answer::{self, Asked, Begun},
    link::{Link, Moved, Opening, Unread},
};
use crate::server::{
    activity::{Activity, Order},
    answer::Answer,
    message::Running,
    socket::Socket,
};

/// How HTTP/1.1 ended on a connection.
pub(in crate::server) enum Ended {
    /// With the connection, or with what it was upgraded to.
    Closed,
    /// Before it began: the client speaks HTTP/2. What was read of it comes first.
    Preface(Bytes, Socket),
}

/// Serves a connection of HTTP/1.1 until it ends.
///
/// # Errors
/// The connection breaks, the client breaks HTTP, or an answer's body fails. The socket is closed.
pub(in crate::server) async fn serve<A: Answer>(
    socket: Socket,
    most_of_a_head: usize,
    connection: &Arc<Connection>,
    answers: &A,
    activity: &Arc<Activity>,
) -> Result<Ended, WireError> {
    let mut link = Link::new(socket);
    let mut is_first = true;
    loop {
        let opening = poll_fn(|cx| poll_opening(&mut link, most_of_a_head, is_first, activity, cx)).await;
        let head = match opening {
            Ok(Opening::Head(head)) => head,
            Ok(Opening::Preface) => {
                let (early, socket) = link.into_parts();
                return Ok(Ended::Preface(early, socket));
            }
            Ok(Opening::End) => break,
            Err(Unread::Refused(refusal)) => {
                tracing::debug!(%refusal, "A request is refused that is no HTTP");
                answer::refuse(&mut link.out, &refusal);
                poll_fn(|cx| link.out.poll(&mut link.socket, cx)).await?;
                break;
            }
            Err(Unread::Broken(error)) => return Err(error),
        };
        is_first = false;
        let running = Running::new(activity);
        let asked = Asked::by(&head);
        let body = link.body(head.body, head.expects_continue, activity);
        let mut parts = head.parts;
        let upgrade = head.offers_upgrade.then(|| {
            let (server, request) = OnUpgrade::pair();
            parts.extensions.insert(request);
            server
        });
        let mut answered = pin!(answers.answer(Request::from_parts(parts, body), connection));
        let mut response = poll_fn(|cx| poll_answer(answered.as_mut(), &mut link, cx)).await?;
        link.stop_asking();
        if response.status().is_informational()
            && (response.status() != StatusCode::SWITCHING_PROTOCOLS || upgrade.is_none())
        {
            tracing::error!(status = response.status().as_u16(), "An answer has a status that only precedes one.");
            response = Response::new(callgate_core::Body::empty());
            *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
        }
        let is_last = !head.keeps_open || link.is_broken || activity.is_last();
        let begun = answer::begin(&mut link.out, response, asked, is_last);
        if begun.until_close {
            activity.sends_until_close();
        }
        let mut running = Some(running);
        poll_fn(|cx| poll_written(&mut link, &begun, &mut running, activity, cx)).await?;
        if let Some(upgrade) = upgrade.filter(|_| begun.switches) {
            activity.is_upgraded();
            let (early, socket) = link.into_parts();
            // Nobody may want it any more, which closes it.
            drop(upgrade.send(Upgraded::new(early, socket)));
            return Ok(Ended::Closed);
        }
        if begun.is_last || link.is_broken {
            if link.has_more() {
                activity.leaves_body();
            }
            break;
        }
        activity.awaits_head();
        if link.has_more() {
            activity.has_read();
        } else {
            link.shrink();
        }
    }
    poll_fn(|cx| Pin::new(&mut link.socket).poll_shutdown(cx)).await?;
    Ok(Ended::Closed)
}

/// Waits for a head, unless the connection closes before the next one.
fn poll_opening(
    link: &mut Link,
    most_of_a_head: usize,
    is_first: bool,
    activity: &Activity,
    cx: &mut Context<'_>,
) -> Poll<Result<Opening, Unread>> {
    // A head that has come, or has begun to, is still answered.
    let polled = link.poll_head(most_of_a_head, is_first, cx);
    if polled.is_pending() && !link.has_more() {
        // An empty line is nothing.
        activity.awaits_head();
        if activity.is_last() {
            return Poll::Ready(Ok(Opening::End));
        }
        if activity.has_come_to_rest() {
            link.give_back();
        }
    }
    polled
}

/// Waits for the answer, and reads of the request's body what is asked for.
fn poll_answer(
    mut answered: Pin<&mut impl Future<Output = Response<callgate_core::Body>>>,
    link: &mut Link,
    cx: &mut Context<'_>,
) -> Poll<Result<Response<callgate_core::Body>, WireError>> {
    loop {
        if let Poll::Ready(response) = answered.as_mut().poll(cx) {
            return Poll::Ready(Ok(response));
        }
        let moved = link.poll_body(cx)?;
        if !link.out.is_done()
            && let Poll::Ready(Err(error)) = link.out.poll(&mut link.socket, cx)
        {
            return Poll::Ready(Err(error));
        }
        if moved != Moved::Fed {
            return Poll::Pending;
        }
    }
}

/// Writes the answer, and reads what is left of the request's body. Ready when nothing of the exchange is left.
fn poll_written(
    link: &mut Link,
    begun: &Begun,
    running: &mut Option<Running>,
    activity: &Activity,
    cx: &mut Context<'_>,
) -> Poll<Result<(), WireError>> {
    loop {
        let is_sent = link.out.is_done() || link.out.poll(&mut link.socket, cx)?.is_ready();
        if is_sent && running.take().is_some() {
            if begun.until_close {
                activity.has_sent_all();
            }
            if link.is_read() {
                activity.awaits_body();
            }
        }
        // Nothing follows an answer that is the last one, unless somebody reads it.
        if is_sent && (!link.has_body() || ((begun.is_last || link.is_broken) && !link.is_read())) {
            return Poll::Ready(Ok(()));
        }
        match link.poll_body(cx)? {
            Moved::Fed => {}
            Moved::Over if is_sent => return Poll::Ready(Ok(())),
            // Nothing has come of it for as long as a connection may rest.
            Moved::Waits if is_sent && activity.order() >= Order::Finish => {
                link.is_broken = true;
                return Poll::Ready(Ok(()));
            }
            Moved::Waits | Moved::Over => return Poll::Pending,
        }
    }
}
