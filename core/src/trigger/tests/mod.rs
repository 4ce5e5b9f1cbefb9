//! What the core does with messages, seen from a source and functions that tell.

mod bounds;
mod draining;
mod reloading;
mod settings;
mod settling;
mod stage;
mod tracing;
