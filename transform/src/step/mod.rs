//! Steps: their configuration, their compiled form, and how one is carried out.

mod body;
mod compile;
mod config;
mod form;
mod headers;
mod query;
mod run;
mod target;
mod xml;

pub use config::{BodyForm, Edits, RequestStep, RequestSteps, ResponseStep, ResponseSteps};

pub(crate) use compile::{Step, request_steps, response_steps};
