//! What goes wrong with Redis, as the core classifies it.

use std::sync::Arc;

use callgate_core::{ErrorKind, Invalid, UpstreamError, excerpt};

/// A call or a connection failed.
#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum RedisError {
    #[error("{0}")]
    Settings(String),
    #[error("there is no connection to Redis: {why}")]
    Disconnected { why: Arc<str> },
    #[error("the connection was lost before Redis said that it has the message to `{stream}`")]
    Unknown { stream: String },
    #[error("there is no stream `{stream}`, and `create` is not set")]
    NoStream { stream: String },
    #[error("the message to `{stream}` is larger than `max_payload`, {limit} bytes")]
    TooLarge { stream: String, limit: u64 },
    #[error("a worker answered the status {status}, which is none of HTTP")]
    Status { status: String },
    #[error("Redis refused {what}: {told}")]
    Refused { what: String, code: String, told: String },
}

impl RedisError {
    /// What Redis itself answered to a command; `None` where the connection failed.
    pub(crate) fn of_server(what: impl Into<String>, error: &redis::RedisError) -> Option<Self> {
        let code = error.code()?.to_owned();
        Some(Self::Refused { what: what.into(), code, told: excerpt(&error.to_string()) })
    }

    fn kind(&self) -> ErrorKind {
        match self {
            Self::Settings(_) | Self::Disconnected { .. } => ErrorKind::Unavailable,
            Self::Unknown { .. } => ErrorKind::Timeout,
            Self::NoStream { .. } => ErrorKind::Unroutable,
            Self::TooLarge { .. } => ErrorKind::BodyTooLarge,
            Self::Status { .. } => ErrorKind::BadReply,
            Self::Refused { code, .. } => match code.as_str() {
                "NOPERM" | "NOAUTH" | "WRONGPASS" => ErrorKind::Denied,
                // Something else of that name is there.
                "WRONGTYPE" => ErrorKind::Unroutable,
                "OOM" => ErrorKind::Throttled,
                "LOADING" | "READONLY" | "MASTERDOWN" | "CLUSTERDOWN" | "MISCONF" | "NOREPLICAS" => {
                    ErrorKind::Unavailable
                }
                _ => ErrorKind::BadReply,
            },
        }
    }

    /// Whether nobody has the message, for certain. What Redis answers by an error it has not done.
    const fn is_unsent(&self) -> bool {
        !matches!(self, Self::Unknown { .. } | Self::Status { .. })
    }
}

impl From<RedisError> for UpstreamError {
    fn from(error: RedisError) -> Self {
        let told = Self::new(error.kind(), error.to_string());
        let told = match &error {
            RedisError::Unknown { .. } => {
                told.with_detail("The connection to the broker was lost; whether it has the message is unknown.")
            }
            _ => told,
        };
        if error.is_unsent() { told.not_executed() } else { told }
    }
}

impl From<Invalid> for RedisError {
    fn from(invalid: Invalid) -> Self {
        Self::Settings(format!("`{}`: {invalid}", invalid.field))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_may_have_been_done_is_not_tried_again() {
        let refused = |code: &str| RedisError::Refused { what: "x".into(), code: code.into(), told: code.into() };
        for (error, kind, unsent) in [
            (RedisError::Disconnected { why: "gone".into() }, ErrorKind::Unavailable, true),
            (RedisError::Unknown { stream: "a".into() }, ErrorKind::Timeout, false),
            (refused("OOM"), ErrorKind::Throttled, true),
            (refused("NOPERM"), ErrorKind::Denied, true),
            (refused("WRONGTYPE"), ErrorKind::Unroutable, true),
            (refused("LOADING"), ErrorKind::Unavailable, true),
            (refused("ERR"), ErrorKind::BadReply, true),
        ] {
            let told = UpstreamError::from(error);
            assert_eq!((told.kind(), told.is_not_executed()), (kind, unsent), "{told}");
        }
    }
}
