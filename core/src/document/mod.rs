//! The configuration text: YAML with positions, references and includes, read into types with every error at once.
//!
//! The way of a document: `callgate-document` composes a [`Node`] tree out of parser events, `substitute` fills in
//! `${NAME}` in its scalars, `load` merges what `include` names, [`from_node`] reads the tree into types.
//! What is wrong becomes a [`Flaw`], and all flaws of a load one [`Report`].

mod include;
mod load;
mod mask;
mod merge;
mod named;
mod percent;
mod period;
mod rate;
mod read;
mod reference;
mod render;
mod report;
mod secret;
mod size;
mod source;
mod substitute;
mod text;
mod texts;

#[cfg(test)]
mod tests;

use callgate_document::{Resolved, Substituted, compose, listed, resolve};

pub use callgate_document::{DocPath, Flaw, Key, Node, NotPlain, Severity, Span, Value, nearest, plain};
pub use load::Document;
pub(crate) use mask::Masks;
pub use named::NamedFiles;
pub use percent::{Percent, PercentError};
pub use period::{Period, PeriodError};
pub(crate) use rate::Rate;
pub(crate) use read::HELP;
pub use read::from_node;
pub use reference::{References, System, fill};
pub use report::{Brief, Report};
pub use secret::Secret;
pub use size::{Size, SizeError};
pub use source::Sources;
pub use text::Text;
pub use texts::Texts;
