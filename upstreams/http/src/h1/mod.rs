//! HTTP/1.1: a connection belongs to the request that uses it, then to its reply's body, then to the thread's pool.
//!
//! The codec is the client's own, as the hot path asks for it: a request's task writes and reads the socket itself, with
//! no second task or channel between them. It is strict where two readers of a reply could disagree.

mod alone;
mod broken;
mod connection;
mod head;
mod link;
mod reply;

pub(crate) use broken::Broken;
pub(crate) use connection::Connection;
pub(crate) use link::{Link, Lost};
pub(crate) use reply::receive;
