//! A function that a route calls.

use std::sync::Arc;

use callgate_aws_event::Shape;

use crate::pool::Pool;

/// A bound function.
#[derive(Debug)]
pub struct LocalFunction {
    pub(crate) pool: Arc<Pool>,
    pub(crate) shape: Shape,
}
