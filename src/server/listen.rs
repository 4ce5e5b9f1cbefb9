//! Sockets that listen, bound before any worker starts.

use std::{
    fs, io, iter,
    net::{SocketAddr, TcpListener},
    os::unix::{
        fs::FileTypeExt,
        net::{UnixListener, UnixStream},
    },
    path::{Path, PathBuf},
    sync::Arc,
};

use callgate_core::plan::{Address, Listener};
use socket2::{Domain, Protocol, SockAddr, SockRef, Socket, Type};

use super::{error::ServerError, inherited::Inherited, worker::Listening};

/// Connections that wait to be accepted; the system caps it (`net.core.somaxconn`).
const BACKLOG: i32 = 4096;

/// Where a listener really listens: port 0 has become a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bound {
    /// The listener's name.
    pub listener: Arc<str>,
    /// Its address.
    pub address: Address,
}

/// Binds a listener's sockets, one per worker. The sockets at `own` are this process's and about to be closed. Nobody can
/// connect before the sockets [listen](Listening::listen).
///
/// The kernel spreads TCP connections over sockets that share the port; a Unix socket is one that all accept from.
pub(super) fn bind(
    listener: &Listener,
    workers: usize,
    own: &[Address],
    inherited: &Inherited,
) -> Result<(Vec<Listening>, Bound), ServerError> {
    let bound = match &listener.address {
        Address::Tcp(address) => match inherited.tcp(*address, workers) {
            Ok(Some(sockets)) => Ok((sockets, *address)),
            Ok(None) => tcp(*address, workers, own),
            Err(error) => Err(error),
        }
        .map(|(sockets, address)| (sockets.into_iter().map(Listening::Tcp).collect(), Address::Tcp(address))),
        Address::Unix(path) => inherited.unix(path, workers).and_then(|given| {
            // The file of one that was handed in belongs to whoever bound it, and that of one that could not be bound too.
            let own = given.is_none().then(|| path.clone());
            let sockets = given.map_or_else(|| unix(path, workers), Ok)?;
            let file = Arc::new(SocketFile(own));
            let shared = |socket| Listening::Unix(socket, Arc::clone(&file));
            Ok((sockets.into_iter().map(shared).collect(), Address::Unix(path.clone())))
        }),
    };
    bound.map(|(sockets, address)| (sockets, Bound { listener: Arc::clone(&listener.name), address })).map_err(
        |reason| ServerError::Listen {
            listener: Arc::clone(&listener.name),
            address: listener.address.clone(),
            reason,
        },
    )
}

fn tcp(address: SocketAddr, workers: usize, own: &[Address]) -> io::Result<(Vec<TcpListener>, SocketAddr)> {
    let is_own = |own: &Address| matches!(own, Address::Tcp(own) if own.port() == address.port());
    if address.port() != 0 && !own.iter().any(is_own) {
        // Sockets that share a port share it with those of another process too: two gateways on one port would go
        // unnoticed. A socket that doesn't share finds out.
        tcp_socket(address, false)?;
    }
    let first = TcpListener::from(tcp_socket(address, true)?);
    let address = first.local_addr()?;
    let others = (1..workers).map(|_| tcp_socket(address, true).map(TcpListener::from));
    let sockets = iter::once(Ok(first)).chain(others).collect::<io::Result<_>>()?;
    Ok((sockets, address))
}

fn tcp_socket(address: SocketAddr, shared: bool) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM.nonblocking(), Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(shared)?;
    if address.is_ipv6() {
        socket.set_only_v6(false)?;
    }
    // Accepted connections inherit both, which saves two system calls for each.
    socket.set_tcp_nodelay(true)?;
    socket.set_keepalive(true)?;
    socket.bind(&address.into())?;
    Ok(socket)
}

fn unix(path: &Path, workers: usize) -> io::Result<Vec<UnixListener>> {
    remove_stale(path)?;
    let first = Socket::new(Domain::UNIX, Type::STREAM.nonblocking(), None)?;
    first.bind(&SockAddr::unix(path)?)?;
    let first = UnixListener::from(first);
    let others = (1..workers).map(|_| first.try_clone()).collect::<io::Result<Vec<_>>>()?;
    Ok(iter::once(first).chain(others).collect())
}

impl Listening {
    /// Lets clients connect from now on; connections wait until a worker accepts them. One that listens already, as it was
    /// handed in so, keeps the backlog that it has.
    pub(super) fn listen(&self) -> io::Result<()> {
        let socket = match self {
            Self::Tcp(socket) => SockRef::from(socket),
            Self::Unix(socket, _) => SockRef::from(socket),
        };
        if socket.is_listener()? { Ok(()) } else { socket.listen(BACKLOG) }
    }
}

/// Removes the socket that an ended process left behind; one that still answers is in use.
pub(crate) fn remove_stale(path: &Path) -> io::Result<()> {
    let Ok(file) = fs::symlink_metadata(path) else {
        return Ok(());
    };
    if !file.file_type().is_socket() {
        let message = "the file is there already and is no socket; remove it or choose another path";
        return Err(io::Error::new(io::ErrorKind::AlreadyExists, message));
    }
    match UnixStream::connect(path) {
        Ok(_) => Err(io::ErrorKind::AddrInUse.into()),
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => fs::remove_file(path),
        Err(error) => Err(error),
    }
}

/// The file of a Unix socket, removed when the last worker has stopped accepting from it.
#[derive(Debug)]
pub(crate) struct SocketFile(Option<PathBuf>);

impl SocketFile {
    /// The file of a socket that was made here.
    pub(crate) const fn own(path: PathBuf) -> Self {
        Self(Some(path))
    }

    /// The file of a socket that was handed in: whoever made it removes it.
    pub(crate) const fn of_others() -> Self {
        Self(None)
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if let Some(path) = &self.0
            && let Err(error) = fs::remove_file(path)
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::warn!(path = %path.display(), %error, "The socket's file could not be removed");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpStream;

    use super::*;

    #[test]
    fn all_workers_share_the_port_that_the_first_one_got() {
        let (sockets, address) = tcp("127.0.0.1:0".parse().unwrap(), 3, &[]).unwrap();
        assert_eq!(sockets.len(), 3);
        assert!(sockets.iter().all(|socket| socket.local_addr().unwrap() == address));
    }

    #[test]
    fn a_port_in_use_is_an_error_even_if_its_user_shares_it() {
        let (sockets, address) = tcp("127.0.0.1:0".parse().unwrap(), 2, &[]).unwrap();
        let sockets: Vec<_> = sockets.into_iter().map(Listening::Tcp).collect();
        sockets.iter().for_each(|socket| socket.listen().unwrap());
        assert_eq!(tcp(address, 1, &[]).unwrap_err().kind(), io::ErrorKind::AddrInUse);
        assert!(tcp(address, 1, &[Address::Tcp(address)]).is_ok(), "its own socket is about to go");
    }

    #[test]
    fn replaces_the_socket_that_an_ended_process_left_behind_but_not_a_living_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("gate.sock");
        let living = unix(&path, 2).unwrap();
        SockRef::from(&living[0]).listen(1).unwrap();
        assert_eq!(unix(&path, 1).unwrap_err().kind(), io::ErrorKind::AddrInUse);
        drop(living);
        assert!(unix(&path, 1).is_ok());
    }

    #[test]
    fn nobody_can_connect_before_the_sockets_listen() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("gate.sock");
        let named = |address| Listener {
            name: "a".into(),
            address,
            tls: None,
            trusted_proxies: Arc::from([]),
            proxy_protocol: false,
        };
        for address in [Address::Tcp("127.0.0.1:0".parse().unwrap()), Address::Unix(path)] {
            let (sockets, bound) = bind(&named(address), 2, &[], &Inherited::default()).unwrap();
            let connects = || match &bound.address {
                Address::Tcp(address) => TcpStream::connect(address).map(drop),
                Address::Unix(path) => UnixStream::connect(path).map(drop),
            };
            assert_eq!(connects().unwrap_err().kind(), io::ErrorKind::ConnectionRefused);
            sockets.iter().for_each(|socket| socket.listen().unwrap());
            assert!(connects().is_ok());
        }
    }

    #[test]
    fn leaves_a_file_alone_that_is_no_socket() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notes.txt");
        fs::write(&path, "keep").unwrap();
        assert!(unix(&path, 1).unwrap_err().to_string().contains("is no socket"));
        assert_eq!(fs::read(&path).unwrap(), b"keep");
    }
}
