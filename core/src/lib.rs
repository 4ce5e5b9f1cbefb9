//! Callgate core: traits, registry, configuration, routes, policies and dispatch.

mod body;
pub mod document;
mod error;
mod request_id;
pub mod routing;

pub use body::{Body, BodyError, BoxError};
pub use error::{ErrorKind, UpstreamError};
pub use request_id::RequestId;
