//! Lambda's client context: what a function sees as `context.client_context`.

use base64::{Engine, engine::general_purpose::STANDARD};
use callgate_core::{ErrorKind, Invalid, UpstreamError};
use callgate_transform::{Scope, Shape, Tree};
use http::HeaderValue;

/// The most that Lambda takes, in bytes of base64.
const LIMIT: usize = 3583;

/// Compiles the tree of templates.
pub(crate) fn compile(tree: &Tree) -> Result<Shape, Invalid> {
    Shape::new(tree).map_err(|flaws| {
        let messages: Vec<_> = flaws.iter().map(ToString::to_string).collect();
        Invalid::new(messages.join("; ")).at("client_context")
    })
}

/// The value of `x-amz-client-context` for a request.
pub(crate) fn header(shape: &Shape, scope: &Scope) -> Result<HeaderValue, UpstreamError> {
    let bad = |message| UpstreamError::new(ErrorKind::BadInput, message);
    let json = shape
        .render_bytes(scope)
        .map_err(|error| UpstreamError::unrendered("the client context could not be rendered", error))?;
    let encoded = STANDARD.encode(json);
    if encoded.len() > LIMIT {
        return Err(
            bad("the client context is larger than Lambda allows").with_detail("The request's values are too long.")
        );
    }
    HeaderValue::try_from(encoded).map_err(|error| bad("the client context is no header's value").with_source(error))
}
