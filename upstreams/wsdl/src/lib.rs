#![doc = include_str!("../README.md")]

mod decode;
mod describe;
mod documents;
mod encode;
mod envelope;
mod fault;
mod location;
mod name;
mod operation;
mod reply;
#[cfg(test)]
mod tests;
mod tree;
mod wsdl;
mod xsd;

pub use decode::Unfit;
pub use documents::Documents;
pub use encode::Mismatch;
pub use envelope::{CLOSING, opening};
pub use fault::Fault;
pub use location::is_url;
pub use operation::Operation;
pub use reply::{Refused, Reply, read, text};
pub use wsdl::{Contract, NoOperation, NoVersion, Uncallable, Version};
