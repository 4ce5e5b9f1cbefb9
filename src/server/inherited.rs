//! Sockets that whoever started the process has bound for it, as systemd does (socket activation).

use std::{
    io,
    net::{SocketAddr, TcpListener},
    os::unix::net::UnixListener,
    path::Path,
    sync::Arc,
};

use callgate_core::plan::Address;
use listenfd::ListenFd;
use socket2::SockRef;

/// The number of the first descriptor that is handed in.
const FIRST: usize = 3;

/// The sockets that were handed in, by `LISTEN_FDS`. A listener with the address of one takes it. Clones are the same.
///
/// They stay open for as long as the process runs, as they do at whoever handed them in: a listener that a reload removes
/// can come back, and until then who connects waits.
#[derive(Debug, Clone, Default)]
pub struct Inherited(Arc<Sockets>);

#[derive(Debug, Default)]
struct Sockets {
    tcp: Vec<(SocketAddr, TcpListener)>,
    unix: Vec<(Address, UnixListener)>,
    /// Descriptors that nothing can be accepted from.
    useless: Vec<usize>,
}

impl Inherited {
    /// Takes what was handed in to this process. To be called once, before it has threads: it changes the environment, so
    /// that what the process starts takes nothing for its own.
    pub fn take() -> Self {
        let mut given = ListenFd::from_env();
        let mut sockets = Sockets::default();
        for index in 0..given.len() {
            // Whether it is the one or the other only trying tells.
            if let Ok(Some(socket)) = given.take_tcp_listener(index) {
                match socket.local_addr() {
                    Ok(address) if listens(&SockRef::from(&socket)) => sockets.tcp.push((address, socket)),
                    _ => sockets.useless.push(index + FIRST),
                }
            } else if let Ok(Some(socket)) = given.take_unix_listener(index) {
                let path = socket.local_addr().ok().and_then(|address| address.as_pathname().map(Path::to_owned));
                match path {
                    Some(path) if listens(&SockRef::from(&socket)) => sockets.unix.push((Address::Unix(path), socket)),
                    _ => sockets.useless.push(index + FIRST),
                }
            } else {
                sockets.useless.push(index + FIRST);
            }
        }
        Self(Arc::new(sockets))
    }

    /// The sockets that nothing at these addresses takes, and the descriptors that are of no use, as text.
    pub fn untaken(&self, addresses: &[&Address]) -> Vec<String> {
        let untaken = self.addresses().filter(|address| addresses.iter().all(|taken| *taken != address));
        let useless = |number| format!("descriptor {number}, which is no TCP or Unix socket that listens");
        untaken.map(|address| address.to_string()).chain(self.0.useless.iter().map(useless)).collect()
    }

    /// Whether there is a socket at an address.
    pub(super) fn has(&self, address: &Address) -> bool {
        self.addresses().any(|at| at == *address)
    }

    /// The socket at a TCP address, so many times, if there is one.
    ///
    /// # Errors
    /// The only socket at the port has another address, so that both can't be listened at.
    pub(crate) fn tcp(&self, address: SocketAddr, times: usize) -> io::Result<Option<Vec<TcpListener>>> {
        let Some((_, socket)) = self.0.tcp.iter().find(|(at, _)| *at == address) else {
            let wanted = Address::Tcp(address);
            return match self.addresses().find(|at| at.collides_with(&wanted)) {
                Some(other) => Err(io::Error::new(
                    io::ErrorKind::InvalidInput,
                    format!("the socket that was handed in is at {other}: both have to say the same"),
                )),
                None => Ok(None),
            };
        };
        let options = SockRef::from(socket);
        options.set_nonblocking(true)?;
        // As of sockets of its own: accepted connections inherit both.
        options.set_tcp_nodelay(true)?;
        options.set_keepalive(true)?;
        (0..times).map(|_| socket.try_clone()).collect::<io::Result<_>>().map(Some)
    }

    /// The socket at a path, so many times, if there is one.
    ///
    /// # Errors
    /// The process has no descriptors for it.
    pub(crate) fn unix(&self, path: &Path, times: usize) -> io::Result<Option<Vec<UnixListener>>> {
        let is_there = |at: &Address| matches!(at, Address::Unix(at) if at == path);
        let Some((_, socket)) = self.0.unix.iter().find(|(at, _)| is_there(at)) else { return Ok(None) };
        socket.set_nonblocking(true)?;
        (0..times).map(|_| socket.try_clone()).collect::<io::Result<_>>().map(Some)
    }

    fn addresses(&self) -> impl Iterator<Item = Address> {
        let Sockets { tcp, unix, .. } = &*self.0;
        let tcp = tcp.iter().map(|(address, _)| Address::Tcp(*address));
        tcp.chain(unix.iter().map(|(address, _)| address.clone()))
    }
}

fn listens(socket: &SockRef<'_>) -> bool {
    socket.is_listener().unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(socket: TcpListener) -> Inherited {
        let tcp = vec![(socket.local_addr().unwrap(), socket)];
        Inherited(Arc::new(Sockets { tcp, unix: Vec::new(), useless: vec![7] }))
    }

    #[test]
    fn a_socket_is_taken_by_its_address_alone() {
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = socket.local_addr().unwrap();
        let inherited = of(socket);
        assert_eq!(inherited.tcp(address, 3).unwrap().unwrap().len(), 3);
        let any = SocketAddr::from(([0, 0, 0, 0], address.port()));
        let told = inherited.tcp(any, 1).unwrap_err().to_string();
        assert!(told.contains(&address.to_string()), "{told}");
        assert!(inherited.tcp("127.0.0.1:0".parse().unwrap(), 1).unwrap().is_none(), "a free port is another one");
        assert!(inherited.unix(Path::new("/no/such"), 1).unwrap().is_none());
    }

    #[test]
    fn what_nothing_takes_is_told() {
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = Address::Tcp(socket.local_addr().unwrap());
        let inherited = of(socket);
        assert!(inherited.has(&address));
        let useless = "descriptor 7, which is no TCP or Unix socket that listens";
        assert_eq!(inherited.untaken(&[&address]), [useless]);
        assert_eq!(inherited.untaken(&[]), [address.to_string().as_str(), useless]);
    }
}
