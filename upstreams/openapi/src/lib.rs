#![doc = include_str!("../README.md")]

mod body;
mod describe;
mod document;
mod error;
mod example;
mod files;
mod kind;
mod location;
mod operation;
mod path;
mod read;
mod render;
mod schema;
mod security;
mod server;
mod style;
mod validation;

pub use body::Encoded;
pub use document::{Document, Found, NoDocument, NoOperation, Reading};
pub use error::Unfit;
pub use kind::Kind;
pub use operation::{Body, In, Media, Operation, Parameter, Problem};
pub use render::{Rendered, Slashes};
pub use schema::{Validator, Violation};
pub use security::{Requirement, Scheme};
pub use server::{NoServer, Server};
pub use style::Style;
pub use validation::{ReplyValidation, RequestValidation};
