//! What goes wrong while the steps of a request or a response run.

use std::borrow::Cow;

use crate::position::Position;

/// Which message the failing step was shaping, and so whose fault it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Side {
    /// The client's request: answered 400.
    Request,
    /// The upstream's response: answered 502.
    Response,
}

/// A step that could not be carried out on this message.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{message}")]
pub struct TransformError {
    /// The message that was being shaped.
    pub side: Side,
    /// What went wrong, for the log. It never holds values of the message.
    pub message: Cow<'static, str>,
    /// The template or the option that failed; unknown when the configuration's reader knew no places.
    pub at: Position,
    /// The limit that the body is over once it is decoded, when that is what went wrong: answered 413 or 502.
    pub over_limit: Option<u64>,
}

impl TransformError {
    pub(crate) fn new(side: Side, at: Position, message: impl Into<Cow<'static, str>>) -> Self {
        Self { side, message: message.into(), at, over_limit: None }
    }

    /// What a client may be told about it. Fit for [`Side::Request`]; a response's failure is no client's business.
    #[must_use]
    pub fn public_detail(&self) -> &str {
        &self.message
    }

    /// Names the part of the step that failed.
    #[must_use]
    pub(crate) fn of(mut self, subject: &str) -> Self {
        self.message = format!("{subject}: {}", self.message).into();
        self
    }
}
