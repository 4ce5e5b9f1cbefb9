#![doc = include_str!("../README.md")]

mod api;
mod config;
mod environment;
mod error;
mod files;
mod function;
mod job;
mod log;
mod memory;
mod pool;
mod process;
mod program;
mod queue;
mod reply;
mod upstream;
mod watch;
mod worker;

pub use config::{LocalConfig, LocalTarget, Processes, Runtime};
pub use function::LocalFunction;
pub use upstream::Local;
