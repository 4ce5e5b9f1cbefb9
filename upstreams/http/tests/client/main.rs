//! The client against servers that behave, and raw ones that don't.

mod malformed;
mod peer;
mod request;
mod reuse;
mod secure;
mod streaming;
mod upgrade;
