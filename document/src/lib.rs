#![doc = include_str!("../README.md")]

mod description;
mod excerpt;
mod flaw;
mod layout;
mod node;
mod path;
mod plain;
mod scalar;
mod substituted;
mod suggest;
mod yaml;

pub use description::{Content, Description, Parameter};
pub use excerpt::excerpt;
pub use flaw::{Flaw, Severity};
pub use node::{Key, Node, Span, Value};
pub use path::DocPath;
pub use plain::{NotPlain, plain};
pub use scalar::resolve;
pub use substituted::{Resolved, Substituted};
pub use suggest::{listed, nearest};
pub use yaml::compose;
