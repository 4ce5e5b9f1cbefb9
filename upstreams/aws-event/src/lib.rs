#![doc = include_str!("../README.md")]

mod event;
mod reply;
mod shape;

pub use event::{ASYNC_LIMIT, EventInput, SYNC_LIMIT, encode};
pub use reply::{HTTP_INTEGRATION, Head, Prelude, ReplyError, decode};
pub use shape::{Payload, Reply, Shape};
