//! HTTP/2 as clients speak it (RFC 9113), by the crate h2.
//!
//! A connection and its streams are one task. Its turn goes on with the streams that were called, reads what the client sent, and
//! then writes all that came of it at once:
//!
//! - `serve` has the turn, `turns` tells who was called to it;
//! - `places` has the streams, each in a `place`;
//! - `stream` is one request, with its `body`, and its `reply`;
//! - `gathered` is the socket, which gathers what is written.

mod body;
mod gathered;
mod place;
mod places;
mod reply;
mod serve;
mod stream;
mod turns;

use h2::server::Builder;

use super::limits::Limits;

pub(super) use serve::serve;

/// HTTP/2 as this server speaks it.
///
/// It has no timers: [`Connections`](super::connections::Connections) looks after connections that rest, and after those that are
/// dead.
pub(super) fn protocol(limits: &Limits) -> Builder {
    /// Streams that a client may have reset before they were taken up (CVE-2023-44487, rapid reset).
    const RESET_STREAMS: usize = 20;
    /// Streams that may have been reset for what the client did wrong on them.
    const WRONG_STREAMS: usize = 1024;
    const BUFFERED_PER_STREAM: usize = 128 * 1024;
    /// Bytes of request bodies on their way, of a stream and of a connection.
    const WINDOW: u32 = 1024 * 1024;

    let mut protocol = Builder::new();
    protocol
        .initial_window_size(WINDOW)
        .initial_connection_window_size(WINDOW)
        .max_frame_size(16 * 1024)
        .max_header_list_size(u32::try_from(limits.head_size).unwrap_or(u32::MAX))
        .max_concurrent_streams(limits.concurrent_streams)
        .max_pending_accept_reset_streams(RESET_STREAMS)
        .max_local_error_reset_streams(Some(WRONG_STREAMS))
        .max_send_buffer_size(BUFFERED_PER_STREAM);
    protocol
}
