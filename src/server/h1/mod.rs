//! HTTP/1.1 as clients speak it (RFC 9112).
//!
//! The codec is the server's own, as the hot path asks for it: the task of a connection reads a request, lets it be
//! answered, and writes the answer, with nothing between them. It is strict where two readers of a request could disagree.
//!
//! `serve` is the way of a connection; `link` its socket with what was read and is to be written; `head` reads requests,
//! `answer` writes responses; `intake` passes a request's body to whoever reads it.

mod answer;
mod head;
mod intake;
mod link;
mod serve;

pub(super) use serve::{Ended, serve};
