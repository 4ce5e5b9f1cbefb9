//! The kind `echo`: answers with the request as a function would get it. For trying routes and transformations.

use http::{HeaderValue, StatusCode, header};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::{
    body::Body,
    document::Period,
    error::{ErrorKind, UpstreamError},
    invocation::{Invocation, Response},
    upstream::{Context, Invalid, Settings, Target, Upstream},
};

/// The kind `echo`.
#[derive(Debug)]
pub struct Echo;

/// `echo` has no settings of its own.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EchoConfig {}

impl Settings for EchoConfig {}

/// How an echo answers.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct EchoTarget {
    /// The status to answer with, 200 to 599. Default 200.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// How long to wait before answering. Default: not at all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delay: Option<Period>,
    /// Fails in this way instead of answering, to see what clients get.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fail: Option<EchoFailure>,
}

/// The ways in which an echo can fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "they are named as the codes of the problem documents are")]
pub enum EchoFailure {
    UpstreamUnreachable,
    UpstreamTimeout,
    UpstreamThrottled,
    UpstreamUnavailable,
    UpstreamDenied,
    FunctionError,
    BadUpstreamReply,
}

impl From<EchoFailure> for ErrorKind {
    fn from(failure: EchoFailure) -> Self {
        match failure {
            EchoFailure::UpstreamUnreachable => Self::Unreachable,
            EchoFailure::UpstreamTimeout => Self::Timeout,
            EchoFailure::UpstreamThrottled => Self::Throttled,
            EchoFailure::UpstreamUnavailable => Self::Unavailable,
            EchoFailure::UpstreamDenied => Self::Denied,
            EchoFailure::FunctionError => Self::FunctionError,
            EchoFailure::BadUpstreamReply => Self::BadReply,
        }
    }
}

impl Settings for EchoTarget {
    fn check(&self) -> Vec<Invalid> {
        match self.status {
            Some(status) if !(200..=599).contains(&status) => {
                vec![
                    Invalid::new(format!("`{status}` is no final status"))
                        .at("status")
                        .hint("write one from 200 to 599"),
                ]
            }
            _ => Vec::new(),
        }
    }
}

impl Target for EchoTarget {
    const NAME: Option<&'static str> = None;
}

impl Upstream for Echo {
    const KIND: &'static str = "echo";
    const SUMMARY: &'static str = "answers with the request itself";
    type Config = EchoConfig;
    type Target = EchoTarget;
    type Function = EchoTarget;

    async fn connect(_: EchoConfig, _: Context) -> Result<Self, UpstreamError> {
        Ok(Self)
    }

    fn bind(&self, target: EchoTarget) -> Result<EchoTarget, Invalid> {
        Ok(target)
    }

    async fn call(&self, target: &EchoTarget, invocation: Invocation) -> Result<Response, UpstreamError> {
        let limit = invocation.context.max_body();
        let (parts, body) = invocation.request.into_parts();
        let body = body.collect(limit).await.map_err(|error| {
            UpstreamError::new(ErrorKind::BadReply, "the request's body could not be read").with_source(error)
        })?;
        if let Some(delay) = target.delay {
            sleep(delay.into()).await;
        }
        if let Some(failure) = target.fail {
            return Err(UpstreamError::new(failure.into(), "the echo was told to fail"));
        }
        let headers: Vec<_> = parts
            .headers
            .iter()
            .map(|(name, value)| json!([name.as_str(), String::from_utf8_lossy(value.as_bytes())]))
            .collect();
        let echo = json!({
            "method": parts.method.as_str(),
            "path": parts.uri.path(),
            "query": parts.uri.query(),
            "headers": headers,
            "body": match std::str::from_utf8(&body) {
                Ok(text) => Value::from(text),
                Err(_) => json!({"bytes": body.len()}),
            },
        });
        let mut response = Response::new(Body::from(echo.to_string()));
        *response.status_mut() =
            target.status.and_then(|status| StatusCode::from_u16(status).ok()).unwrap_or(StatusCode::OK);
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        Ok(response)
    }
}
