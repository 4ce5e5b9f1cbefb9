//! New connections: name look-up, TCP, TLS.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use rustls_pki_types::ServerName;
use socket2::{SockRef, TcpKeepalive};
use tokio::{
    net::{TcpStream, lookup_host},
    time::{Instant, timeout},
};

use crate::{endpoint::Endpoint, error::HttpError, io::Stream, proxy::Proxy, tls::Tls};

/// The least time for one of several addresses.
const LEAST: Duration = Duration::from_millis(250);

/// When the kernel begins to probe whether a silent peer is still there.
const KEEPALIVE: Duration = Duration::from_secs(60);

/// How a connection reaches its endpoint.
#[derive(Clone, Copy)]
pub(crate) enum Way<'a> {
    Direct,
    /// The proxy reads the requests and sends them on.
    Proxied(&'a Proxy),
    /// The proxy passes bytes on.
    Tunnel(&'a Proxy),
}

/// Connects to the endpoint within `limit`; with `tls` the handshake is part of it. Also tells whether the peer chose
/// HTTP/2.
pub(crate) async fn connect(
    endpoint: &Endpoint,
    way: Way<'_>,
    tls: Option<Arc<Tls>>,
    http1_only: bool,
    limit: Duration,
) -> Result<(Stream, bool), HttpError> {
    let connecting = async {
        let tcp = reach(endpoint, way, limit).await?;
        match tls {
            None => Ok((Stream::Tcp(tcp), false)),
            Some(tls) => handshake(endpoint, &tls, http1_only, tcp).await,
        }
    };
    match timeout(limit, connecting).await {
        Ok(connected) => connected,
        Err(_) => Err(HttpError::ConnectTimeout { host: endpoint.authority().to_string() }),
    }
}

/// Opens a TCP connection that leads to the endpoint.
pub(crate) async fn reach(endpoint: &Endpoint, way: Way<'_>, limit: Duration) -> Result<TcpStream, HttpError> {
    match way {
        Way::Direct => connect_tcp(endpoint, limit).await,
        Way::Proxied(proxy) => connect_tcp(&proxy.endpoint, limit).await,
        Way::Tunnel(proxy) => {
            let mut stream = connect_tcp(&proxy.endpoint, limit).await?;
            proxy.tunnel(&mut stream, endpoint).await.map_err(|source| HttpError::Proxy {
                host: endpoint.authority().to_string(),
                proxy: proxy.endpoint.authority().to_string(),
                source,
            })?;
            Ok(stream)
        }
    }
}

/// Opens a TCP connection to the first address that takes it.
async fn connect_tcp(endpoint: &Endpoint, limit: Duration) -> Result<TcpStream, HttpError> {
    let start = Instant::now();
    let addresses = match endpoint.address {
        Some(address) => vec![address],
        None => resolve(endpoint).await?,
    };
    let mut left = addresses.len();
    let mut last = io::Error::from(io::ErrorKind::AddrNotAvailable);
    for address in addresses {
        let share = limit.saturating_sub(start.elapsed()) / u32::try_from(left).unwrap_or(u32::MAX);
        match timeout(share.max(LEAST), TcpStream::connect(address)).await {
            Ok(Ok(stream)) => {
                if let Err(error) = tune(&stream) {
                    tracing::debug!(%error, "A connection can't be tuned; it works all the same.");
                }
                return Ok(stream);
            }
            Ok(Err(error)) => last = error,
            Err(_) => last = io::ErrorKind::TimedOut.into(),
        }
        left -= 1;
    }
    Err(HttpError::Connect { host: endpoint.authority().to_string(), source: last })
}

fn tune(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    SockRef::from(stream).set_tcp_keepalive(&TcpKeepalive::new().with_time(KEEPALIVE))
}

async fn resolve(endpoint: &Endpoint) -> Result<Vec<SocketAddr>, HttpError> {
    let failed = |source| HttpError::Resolve { host: endpoint.host().to_owned(), source };
    let found = lookup_host((endpoint.host(), endpoint.port())).await.map_err(failed)?;
    let addresses = alternate(found);
    if addresses.is_empty() {
        return Err(failed(io::Error::new(io::ErrorKind::NotFound, "the name has no address")));
    }
    Ok(addresses)
}

/// Lets the two families take turns, so that one that is broken costs one attempt and not all the time.
fn alternate(found: impl Iterator<Item = SocketAddr>) -> Vec<SocketAddr> {
    let all: Vec<_> = found.collect();
    let Some(first) = all.first().copied() else {
        return all;
    };
    let (mut preferred, mut other) = (
        all.iter().filter(|address| address.is_ipv4() == first.is_ipv4()),
        all.iter().filter(|address| address.is_ipv4() != first.is_ipv4()),
    );
    let mut turns = Vec::with_capacity(all.len());
    loop {
        let pair = (preferred.next(), other.next());
        turns.extend(pair.0);
        turns.extend(pair.1);
        if pair == (None, None) {
            return turns;
        }
    }
}

async fn handshake(
    endpoint: &Endpoint,
    tls: &Tls,
    http1_only: bool,
    tcp: TcpStream,
) -> Result<(Stream, bool), HttpError> {
    let failed = |source| HttpError::Tls { host: endpoint.authority().to_string(), source };
    let name = match &tls.server_name {
        Some(name) => name.clone(),
        None => ServerName::try_from(endpoint.host().to_owned())
            .map_err(|error| failed(io::Error::new(io::ErrorKind::InvalidInput, error)))?,
    };
    let connector = if http1_only { &tls.http1 } else { &tls.any };
    let stream = connector.connect(name, tcp).await.map_err(failed)?;
    let http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
    Ok((Stream::Tls(Box::new(stream)), http2))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_families_take_turns() {
        let addresses = ["[::1]:1", "[::2]:1", "1.1.1.1:1", "[::3]:1"].map(|address| address.parse().unwrap());
        let turns: Vec<_> = alternate(addresses.into_iter()).iter().map(ToString::to_string).collect();
        assert_eq!(turns, ["[::1]:1", "1.1.1.1:1", "[::2]:1", "[::3]:1"]);
    }
}
