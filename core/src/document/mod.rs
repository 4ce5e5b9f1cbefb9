//! The configuration text: YAML with positions, references and includes, read into types with every error at once.
//!
//! The way of a document: `yaml` composes a [`Node`] tree out of parser events, `substitute` fills in
//! `${NAME}` in its scalars, `load` merges what `include` names, [`from_node`] reads the tree into types.
//! What is wrong becomes a [`Flaw`], and all flaws of a load one [`Report`].

mod flaw;
mod layout;
mod load;
mod mask;
mod merge;
mod named;
mod node;
mod path;
mod percent;
mod period;
mod plain;
mod rate;
mod read;
mod reference;
mod render;
mod report;
mod scalar;
mod secret;
mod size;
mod source;
mod substitute;
mod suggest;
mod text;
mod yaml;

#[cfg(test)]
mod tests;

pub use flaw::{Flaw, Severity};
pub use load::Document;
pub(crate) use mask::Masks;
pub use named::NamedFiles;
pub use node::{Key, Node, Span, Value};
pub use path::DocPath;
pub use percent::{Percent, PercentError};
pub use period::{Period, PeriodError};
pub use plain::{NotPlain, plain};
pub(crate) use rate::Rate;
pub(crate) use read::HELP;
pub use read::from_node;
pub use reference::{References, System};
pub use report::{Brief, Report};
pub use secret::Secret;
pub use size::{Size, SizeError};
pub use source::Sources;
pub use suggest::nearest;
pub use text::Text;
