use std::{
    collections::BTreeSet,
    net::{Ipv4Addr, TcpListener},
    sync::{Mutex, PoisonError},
};

use super::PeerError;

/// What was found: the system may find a port again that nothing listens on yet.
static FOUND: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());

/// Finds a port of 127.0.0.1 that nothing listens on, another one at each call.
///
/// Another process may take it before it is used, so launchers try again with a new one when their peer ends at once.
///
/// # Errors
/// When the system has no port left.
pub fn free_port() -> Result<u16, PeerError> {
    loop {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(PeerError::io("find a free port"))?;
        let port = listener.local_addr().map_err(PeerError::io("read the address of a listener"))?.port();
        if FOUND.lock().unwrap_or_else(PoisonError::into_inner).insert(port) {
            return Ok(port);
        }
    }
}

/// Starts a peer on a free port, and on another one when it ends at once: another process may have taken the port
/// meanwhile.
pub(super) async fn on_free_port<T, F>(launch: impl Fn(u16) -> F) -> Result<(u16, T), PeerError>
where
    F: Future<Output = Result<T, PeerError>>,
{
    let mut attempts = 3;
    loop {
        let port = free_port()?;
        match launch(port).await {
            Ok(peer) => return Ok((port, peer)),
            Err(PeerError::Ended { .. }) if attempts > 1 => attempts -= 1,
            Err(error) => return Err(error),
        }
    }
}
