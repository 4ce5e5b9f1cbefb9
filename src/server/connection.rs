//! One connection, from its accepted socket to its end.

use std::{future::poll_fn, io, net::SocketAddr, pin::pin, sync::Arc, task::Poll};

use ::h2::server::Builder;
use bytes::Bytes;
use callgate_core::{BoxError, Connection};
use tokio_rustls::TlsAcceptor;

use super::{
    activity::{Activity, Order},
    answer::Answer,
    connections::{Connections, Seat},
    h1, h2,
    origin::Settings,
    proxy_protocol,
    socket::{Socket, Stream, Transport},
    tls,
};

/// What every connection of a worker shares.
#[derive(Debug)]
pub(super) struct Shared<A> {
    pub(super) answer: A,
    /// Bytes of a request's head.
    pub(super) head_size: usize,
    pub(super) http2: Builder,
    /// Requests at once on one connection of HTTP/2.
    pub(super) concurrent_streams: u32,
    pub(super) connections: Arc<Connections>,
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

/// Speaks HTTP until the connection ends, or is told to close.
async fn drive<A: Answer>(
    socket: Socket,
    activity: &Arc<Activity>,
    connection: Arc<Connection>,
    shared: &Arc<Shared<A>>,
) -> Result<(), BoxError> {
    let mut spoken = pin!(speak(socket, activity, connection, shared));
    poll_fn(|cx| {
        activity.is_driven_by(cx.waker());
        if activity.order() == Order::Close {
            return Poll::Ready(Ok(()));
        }
        spoken.as_mut().poll(cx)
    })
    .await
}

async fn speak<A: Answer>(
    socket: Socket,
    activity: &Arc<Activity>,
    connection: Arc<Connection>,
    shared: &Arc<Shared<A>>,
) -> Result<(), BoxError> {
    if activity.is_of_http2() {
        return h2::serve(Bytes::new(), socket, activity, connection, shared).await;
    }
    match h1::serve(socket, shared.head_size, &connection, &shared.answer, activity).await? {
        h1::Ended::Closed => Ok(()),
        h1::Ended::Preface(early, socket) => {
            activity.is_multiplexed();
            h2::serve(early, socket, activity, connection, shared).await
        }
    }
}
