#![doc = include_str!("../README.md")]

mod call;
mod event;
mod reply;
mod shape;
mod trace;

pub use call::{encode_call, preview};
pub use event::{ASYNC_LIMIT, EventInput, SYNC_LIMIT, encode};
pub use reply::{HTTP_INTEGRATION, Head, Opening, Prelude, ReplyError, StreamFailure, decode};
pub use shape::{Payload, Reply, Shape};
pub use trace::xray;
