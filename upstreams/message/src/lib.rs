#![doc = include_str!("../README.md")]

mod accepted;
mod binding;
mod envelope;
mod event;
mod form;
mod headers;
mod message;
mod options;
mod whole;

pub use accepted::Accepted;
pub use binding::Binding;
pub use form::{Draft, Form};
pub use message::Message;
pub use options::{Answer, Headers, Options, Payload};
pub use whole::Whole;
