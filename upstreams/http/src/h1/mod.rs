//! HTTP/1.1: a connection belongs to the request that uses it, then to its reply's body, then to the thread's pool.

mod connection;
mod link;
mod reply;
mod upload;

pub(crate) use connection::Connection;
pub(crate) use link::{Link, Lost};
pub(crate) use reply::receive;
