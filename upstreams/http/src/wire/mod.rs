//! HTTP/1.1 messages on the wire (RFC 9112): what the client's codec and the server's have in common.
//!
//! Strict where two readers of a message could disagree, and bounded in all that a peer can make it keep.

mod arrived;
mod chunked;
mod decoder;
mod error;
mod fields;
mod length;
mod names;
mod outgoing;

pub use arrived::Arrived;
pub use decoder::{Decoded, Decoder, Delimited};
pub use error::WireError;
pub use fields::{Fields, MAX_HEADERS, announced_trailers, has_option, is_keep_alive, may_be_complete, write_header};
pub use length::{Stated, parse_length, stated_length};
pub use outgoing::{Content, Outgoing};
