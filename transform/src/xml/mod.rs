//! XML as values and back: elements are members by their names as written, attributes stand under `@name`, text beside
//! either under `#text`, repeated elements are lists.

mod name;
mod path;
mod read;
mod write;

pub(crate) use path::ElementPath;
pub(crate) use read::{check, parse};
pub(crate) use write::{Place, escape, write};

/// How deep elements may nest: with a list for each of them still no deeper than JSON may.
const DEPTH: usize = 64;

/// The key of an element's text beside attributes or elements.
const TEXT: &str = "#text";
