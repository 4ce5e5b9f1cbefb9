//! The server over real sockets: what it does with whatever comes over the wire.

mod bounds;
mod drain;
mod gate;
mod gateway;
mod http2;
mod listeners;
mod tls;
mod wire;
