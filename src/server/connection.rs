//! One connection, from its accepted socket to its end.

use std::{
    convert::Infallible,
    future::poll_fn,
    io,
    net::SocketAddr,
    pin::pin,
    sync::Arc,
    task::{Context, Poll},
};

use callgate_core::Connection;
use http::{Request, Version};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto,
};
use tokio_rustls::TlsAcceptor;

use super::{
    activity::{Activity, Order},
    answer::Answer,
    connections::{Connections, Seat},
    limits::Limits,
    message::{Running, Sent, received},
    origin::Settings,
    proxy_protocol,
    socket::{Socket, Stream, Transport},
    tls,
};

/// What every connection of a worker shares.
#[derive(Debug)]
pub(super) struct Shared<A> {
    pub(super) answer: A,
    pub(super) protocol: auto::Builder<TokioExecutor>,
    pub(super) connections: Arc<Connections>,
}

/// HTTP/1.1 and HTTP/2 as this server speaks them.
///
/// Neither has a timer for heads or for idle connections: [`Connections`] looks after both, without one per request.
pub(super) fn protocol(limits: &Limits) -> auto::Builder<TokioExecutor> {
    /// Streams that a client may have reset before they were taken up (CVE-2023-44487, rapid reset).
    const RESET_STREAMS: usize = 20;
    const BUFFERED_PER_STREAM: usize = 128 * 1024;
    const PING_INTERVAL: std::time::Duration = std::time::Duration::from_secs(30);
    const PING_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(20);

    let mut protocol = auto::Builder::new(TokioExecutor::new());
    protocol.http1().header_read_timeout(None).max_buf_size(limits.head_size.max(8192));
    protocol
        .http2()
        .timer(TokioTimer::new())
        .max_header_list_size(u32::try_from(limits.head_size).unwrap_or(u32::MAX))
        .max_concurrent_streams(limits.concurrent_streams)
        .max_pending_accept_reset_streams(RESET_STREAMS)
        .max_send_buf_size(BUFFERED_PER_STREAM)
        .keep_alive_interval(PING_INTERVAL)
        .keep_alive_timeout(PING_TIMEOUT);
    protocol
}

/// Serves a connection until it ends.
pub(super) async fn serve<A: Answer>(
    mut transport: Transport,
    mut peer: Option<SocketAddr>,
    seat: Seat,
    shared: Arc<Shared<A>>,
    origin: Arc<Settings>,
) {
    let activity = Arc::clone(seat.activity());
    if origin.begins_with_a_proxys_header(peer) {
        match in_time(&activity, proxy_protocol::read(&mut transport)).await {
            Ok(client) => peer = client.or(peer),
            Err(error) => {
                tracing::debug!(listener = %origin.listener, peer = peer.map(tracing::field::display), %error, "A proxy did not say whose its connection is");
                return;
            }
        }
    }
    let (stream, tls) = match &origin.tls {
        None => (Stream::Plain(transport), false),
        Some(tls) => match handshake(&tls.acceptor(), transport, &activity).await {
            Ok(stream) => (stream, true),
            Err(error) => {
                tracing::debug!(listener = %origin.listener, peer = peer.map(tracing::field::display), %error, "A TLS handshake failed");
                return;
            }
        },
    };
    let trusted_proxies = Arc::clone(&origin.trusted_proxies);
    let mut connection = Connection::new(Arc::clone(&origin.listener), peer, tls, trusted_proxies);
    if let Some(certificate) = stream.certificate().and_then(|certificate| tls::identity(certificate)) {
        connection = connection.with_certificate(certificate);
    }
    let socket = Socket::new(stream, seat);
    if let Err(error) = drive(socket, &activity, Arc::new(connection), &shared).await {
        tracing::debug!(listener = %origin.listener, peer = peer.map(tracing::field::display), error, "A connection broke");
    }
    activity.is_upgraded();
}

/// Does what comes before HTTP, until the connection is told to end.
async fn in_time<T>(activity: &Activity, opening: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    let mut opening = pin!(opening);
    poll_fn(|cx| {
        activity.is_driven_by(cx.waker());
        if activity.order() >= Order::Finish {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        opening.as_mut().poll(cx)
    })
    .await
}

async fn handshake(acceptor: &TlsAcceptor, transport: Transport, activity: &Activity) -> io::Result<Stream> {
    let stream = in_time(activity, acceptor.accept(transport)).await?;
    if stream.get_ref().1.alpn_protocol() == Some(b"h2") {
        activity.is_multiplexed();
    }
    Ok(Stream::Tls(Box::new(stream)))
}

async fn drive<A: Answer>(
    socket: Socket,
    activity: &Arc<Activity>,
    connection: Arc<Connection>,
    shared: &Arc<Shared<A>>,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let service = service_fn(|request: Request<Incoming>| {
        let running = Running::new(activity);
        let version = request.version();
        if version == Version::HTTP_2 {
            activity.is_multiplexed();
        }
        let request = request.map(|body| received(body, activity));
        let answered = shared.answer.answer(request, &connection);
        async move { Ok::<_, Infallible>(Sent::response(answered.await, version, running)) }
    });
    let served = shared.protocol.serve_connection_with_upgrades(TokioIo::new(socket), service);
    let mut served = pin!(served);
    let mut finishing = false;
    poll_fn(|cx: &mut Context<'_>| {
        activity.is_driven_by(cx.waker());
        loop {
            let order = activity.order();
            if order == Order::Close {
                return Poll::Ready(Ok(()));
            }
            if !finishing && is_last(order, activity) {
                finishing = true;
                served.as_mut().graceful_shutdown();
            }
            let polled = served.as_mut().poll(cx);
            // The first request may just have come, on a connection that was waiting for it before it closes.
            if polled.is_pending() && !finishing && is_last(activity.order(), activity) {
                continue;
            }
            return polled;
        }
    })
    .await
}

/// Whether the connection closes after what runs on it.
fn is_last(order: Order, activity: &Activity) -> bool {
    match order {
        Order::Serve => false,
        Order::FinishAfterFirst => activity.had_request(),
        Order::Finish | Order::Close => true,
    }
}
