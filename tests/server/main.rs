//! The server over real sockets: what it does with whatever comes over the wire.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test fails by panicking, and ends its own tasks"
)]

mod bounds;
mod bucket;
mod bucket_identity;
mod certificates;
mod codec;
mod drain;
mod ending;
mod gate;
mod gateway;
mod grpc;
mod http2;
mod http2_exchanges;
mod inherited;
mod listeners;
mod mtls;
mod output;
mod proxy_protocol;
mod published;
mod reload;
mod running;
mod tls;
mod websockets;
mod wire;
