use std::net::{Ipv4Addr, TcpListener};

use super::PeerError;

/// Finds a port of 127.0.0.1 that nothing listens on.
///
/// Another process may take it before it is used, so launchers try again with a new one when their peer ends at once.
///
/// # Errors
/// When the system has no port left.
pub fn free_port() -> Result<u16, PeerError> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(PeerError::io("find a free port"))?;
    Ok(listener.local_addr().map_err(PeerError::io("read the address of a listener"))?.port())
}
