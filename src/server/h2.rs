//! HTTP/2 as clients speak it (RFC 9113), by hyper.

use std::{convert::Infallible, future::poll_fn, pin::pin, sync::Arc};

use callgate_core::{BoxError, Connection, Upgraded};
use callgate_http::keep_unindexed;
use http::Request;
use hyper::{body::Incoming, rt::Executor, server::conn::http2, service::service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};

use super::{
    activity::Activity,
    answer::Answer,
    connection::Shared,
    limits::Limits,
    message::{Running, Sent, received},
};

/// Starts the task of a stream.
#[derive(Debug, Clone)]
pub(super) struct Streams;

impl<F> Executor<F> for Streams
where
    F: Future<Output = ()> + Send + 'static,
{
    fn execute(&self, stream: F) {
        // It is large, and moved often on its way into a task.
        TokioExecutor::new().execute(Box::pin(stream));
    }
}

/// HTTP/2 as this server speaks it.
///
/// It has no timer for idle connections: [`Connections`](super::connections::Connections) looks after them.
pub(super) fn protocol(limits: &Limits) -> http2::Builder<Streams> {
    /// Streams that a client may have reset before they were taken up (CVE-2023-44487, rapid reset).
    const RESET_STREAMS: usize = 20;
    const BUFFERED_PER_STREAM: usize = 128 * 1024;
    const PING_INTERVAL: std::time::Duration = std::time::Duration::from_secs(30);
    const PING_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(20);

    let mut protocol = http2::Builder::new(Streams);
    protocol
        .timer(TokioTimer::new())
        .max_header_list_size(u32::try_from(limits.head_size).unwrap_or(u32::MAX))
        .max_concurrent_streams(limits.concurrent_streams)
        .max_pending_accept_reset_streams(RESET_STREAMS)
        .max_send_buf_size(BUFFERED_PER_STREAM)
        .keep_alive_interval(PING_INTERVAL)
        .keep_alive_timeout(PING_TIMEOUT);
    protocol
}

/// Serves a connection of HTTP/2 until it ends.
pub(super) async fn serve<A: Answer>(
    socket: Upgraded,
    activity: &Arc<Activity>,
    connection: Arc<Connection>,
    shared: &Arc<Shared<A>>,
) -> Result<(), BoxError> {
    let service = service_fn(|request: Request<Incoming>| {
        let running = Running::new(activity);
        let request = request.map(|body| received(body, activity));
        let answered = shared.answer.answer(request, &connection);
        async move {
            let mut answer = answered.await;
            keep_unindexed(answer.headers_mut());
            Ok::<_, Infallible>(answer.map(|body| Sent::new(body, running)))
        }
    });
    let mut served = pin!(shared.http2.serve_connection(TokioIo::new(socket), service));
    let mut finishing = false;
    poll_fn(|cx| {
        loop {
            if !finishing && activity.is_last() {
                finishing = true;
                served.as_mut().graceful_shutdown();
            }
            let polled = served.as_mut().poll(cx);
            // The first request may just have come, on a connection that was waiting for it before it closes.
            if polled.is_pending() && !finishing && activity.is_last() {
                continue;
            }
            return polled;
        }
    })
    .await?;
    Ok(())
}
