//! Taking values out of a message.

mod compile;
mod config;
mod run;

pub use config::Extract;

pub(crate) use compile::Extraction;
