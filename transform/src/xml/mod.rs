//! XML as values and back: elements are members by their names as written, attributes stand under `@name`, text beside
//! either under `#text`, repeated elements are lists.
//!
//! Kinds whose protocol is XML read documents by [`walk`] and write text by [`escape`].

mod name;
mod path;
mod read;
mod write;

pub use name::is_name;
pub(crate) use path::ElementPath;
pub use read::{Item, walk};
pub(crate) use read::{check, parse};
pub(crate) use write::write;
pub use write::{Place, Unwritable, escape};

/// How deep elements may nest: with a list for each of them still no deeper than JSON may.
const DEPTH: usize = 64;

/// The key of an element's text beside attributes or elements.
const TEXT: &str = "#text";
