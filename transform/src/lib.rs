//! Callgate's transformation layer: templates, extraction, JSON and XML shaping.

mod confined;
mod engine;
mod error;
mod exchange;
mod extract;
mod flaw;
mod glob;
mod json;
mod message;
mod one_or_many;
mod payload;
mod pipeline;
mod position;
mod query;
mod scope;
mod shape;
mod step;
mod template;
mod tree;

pub use confined::Confined;
pub use error::{Side, TransformError};
pub use exchange::{Exchange, Facts, Params};
pub use extract::Extract;
pub use flaw::Flaw;
pub use glob::Glob;
pub use one_or_many::{ONE_OR_MANY, OneOrMany};
pub use payload::{Content, Payload};
pub use pipeline::{CompiledRequest, CompiledResponse, RequestPipeline, ResponsePipeline};
pub use position::{LOCATED, Located, Position};
pub use scope::Scope;
pub use shape::Shape;
pub use step::{BodyForm, Edits, RequestStep, RequestSteps, ResponseStep, ResponseSteps};
pub use template::{Expression, Template};
pub use tree::{Branch, Named, TEXT, Text, Tree};
