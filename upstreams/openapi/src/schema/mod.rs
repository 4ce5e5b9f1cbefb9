//! Schemas of all versions as JSON Schema 2020-12, each with the definitions that it needs.

mod pattern;
mod translate;
mod validate;

pub(crate) use translate::{Bundle, Direction};
pub use validate::{Validator, Violation};
