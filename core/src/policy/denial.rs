//! A request that a policy lets no further.

use std::{borrow::Cow, fmt};

use http::HeaderMap;

use crate::respond::Code;

/// Why a policy answers in place of the function.
#[derive(Debug)]
pub(crate) struct Denial {
    pub(crate) code: Code,
    /// The sentence for the client. It never repeats what the client sent.
    pub(crate) detail: Cow<'static, str>,
    /// What only the log may say.
    pub(crate) reason: Option<String>,
    /// What the answer's headers say beside the code.
    pub(crate) headers: Box<HeaderMap>,
}

impl Denial {
    pub(crate) fn new(code: Code, detail: impl Into<Cow<'static, str>>) -> Self {
        Self { code, detail: detail.into(), reason: None, headers: Box::default() }
    }

    /// Whether the client has to do something else, rather than the gateway's operator.
    pub(crate) fn is_clients(&self) -> bool {
        self.code != Code::UpstreamUnavailable
    }

    pub(crate) fn with_reason(mut self, reason: impl Into<String>) -> Self {
        self.reason = Some(reason.into());
        self
    }
}

impl fmt::Display for Denial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.reason.as_deref().unwrap_or(&self.detail))
    }
}

impl std::error::Error for Denial {}
