//! Callgate's transformation layer: what `request` and `response` say in the configuration.
//!
//! A level of the configuration (host, route, upstream, function) has [`RequestSteps`] and [`ResponseSteps`]. They
//! are compiled when the configuration loads, which finds every [`Flaw`] with its place, and are joined into one
//! [`RequestPipeline`] and one [`ResponsePipeline`] per route. A pipeline knows what its steps read: a body that none
//! of them reads is never buffered.
//!
//! The crate is pure. It does no I/O, knows no runtime, and what it does for a message is bounded.
//!
//! ```
//! use callgate_transform::{Exchange, Facts, Params, Payload, RequestPipeline, RequestSteps};
//! use serde_json::json;
//!
//! let steps: RequestSteps = serde_json::from_value(json!({
//!     "extract": {"tenant": {"header": "x-tenant", "regex": r"^t-(\w+)$", "required": true}},
//!     "path": "/v2/tenants/{{ vars.tenant }}/orders/{{ params.id }}",
//!     "headers": {"set": {"x-user": "{{ claims.sub | default('nobody') }}"}, "remove": ["x-internal-*"]},
//!     "body": {"json": {"total": "{{ body.price * body.quantity }}", "note": "for {{ vars.tenant }}"}},
//! }))?;
//! let pipeline = RequestPipeline::new([steps.compile().map_err(|flaws| format!("{flaws:?}"))?]);
//! assert!(pipeline.reads_body());
//!
//! let mut request = http::Request::post("/orders/7")
//!     .header("x-tenant", "t-acme")
//!     .header("content-type", "application/json")
//!     .body(())?;
//! let mut payload = Payload::from(bytes::Bytes::from(r#"{"price": 3, "quantity": 2}"#));
//! let mut exchange = Exchange::new(Facts {
//!     route: "orders".into(),
//!     request_id: http::HeaderValue::from_static("1"),
//!     client_ip: None,
//!     params: Params::new(vec![("id".into(), "a b".into())].into(), None),
//!     claims: None,
//! });
//! pipeline.apply(&mut request, &mut payload, &mut exchange)?;
//!
//! assert_eq!(request.uri().path(), "/v2/tenants/acme/orders/a%20b");
//! assert_eq!(request.headers()["x-user"], "nobody");
//! assert_eq!(payload.content().unwrap().bytes(), r#"{"total":6,"note":"for acme"}"#);
//! # Ok::<_, Box<dyn std::error::Error>>(())
//! ```
//!
//! Kinds use [`Template`], [`Expression`] and [`Shape`] for their own options, with a [`Scope`] of the invocation, and
//! [`Confined`] for every name that a protocol gives a meaning. Kinds that send events share [`CloudEvents`].
//!
//! # Reading it
//!
//! [`Position`] and [`Located`] carry the place of a value through serde, [`Text`] those of its characters;
//! [`OneOrMany`] and [`Tree`] read what YAML writers expect to write. `step` has the steps (`config` as written, the plans as compiled, `run`),
//! `extract` the extractions, `engine` the template engine with its functions, `scope` what templates see, `coding`,
//! `parse` and `xml` how bodies are read.

mod cloudevent;
mod coding;
mod confined;
mod engine;
mod error;
mod exchange;
mod extract;
mod flaw;
mod glob;
mod json;
mod lookup;
mod message;
mod one_or_many;
mod parse;
mod payload;
mod pipeline;
mod plain;
mod position;
mod query;
mod record;
mod scope;
mod shape;
mod source;
mod step;
mod template;
mod text;
mod tree;
pub mod xml;

pub use cloudevent::{CloudEvent, CloudEventSettings, CloudEvents};
pub use confined::Confined;
pub use error::{Side, TransformError};
pub use exchange::{Captured, Exchange, Facts, Params};
pub use extract::Extract;
pub use flaw::{Field, Flaw};
pub use glob::Glob;
pub use one_or_many::{ONE_OR_MANY, OneOrMany};
pub use payload::{Content, Payload, is_plain_json};
pub use pipeline::{Bodyless, CompiledRequest, CompiledResponse, RequestPipeline, ResponsePipeline};
pub use position::{LOCATED, Located, Position};
pub use record::{RecordExpression, RecordTemplate};
pub use scope::Scope;
pub use shape::Shape;
pub use step::{BodyForm, Edits, PathTemplate, RequestStep, RequestSteps, ResponseStep, ResponseSteps};
pub use template::{Expression, Template};
pub use text::{Run, TEXT, Text};
pub use tree::{BRANCH, Branch, Named, Tree};
