//! XML Schema, as far as messages need it: declarations are found in the documents (`index`), compiled (`compile`) into
//! a plan (`model`) by which JSON becomes XML and back.

mod builtin;
mod compile;
mod index;
mod model;
mod simple;

pub(crate) use builtin::Builtin;
pub(crate) use compile::Compiler;
pub(crate) use index::{Index, Place, Source, references, schemas};
pub(crate) use model::{Attribute, Complex, Content, Element, Group, Particle, Schema, Slot, Term, Type, TypeId};
pub(crate) use simple::{Facets, Form, Simple};
