//! Questions to those who issue tokens.

use bytes::Bytes;
use callgate_core::{Body, ErrorKind, chain, retry_after};
use callgate_http::{Endpoint, HttpClient, HttpError};
use http::{HeaderMap, HeaderValue, Request, StatusCode, header};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::{Deserialize, de::DeserializeOwned};

use super::{address::Address, clock::Clock, error::TokenError};

/// The largest answer, in bytes.
const LARGEST: u64 = 64 << 10;

/// The most of a message that others wrote which goes to the log.
const LONGEST: usize = 300;

/// What is needed to ask: a client, the time, and a way to read files.
#[derive(Debug)]
pub(crate) struct Exchange {
    pub(crate) client: HttpClient,
    pub(crate) clock: Clock,
    pub(crate) context: callgate_core::Context,
}

/// An answer, read whole.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Exchange {
    pub(crate) async fn send(&self, endpoint: &Endpoint, request: Request<Body>) -> Result<Answer, HttpError> {
        let (head, body) = self.client.send(endpoint, request).await?.into_parts();
        let body = body.collect(LARGEST).await.map_err(|error| HttpError::Reply {
            host: endpoint.authority().to_string(),
            // As text: it must not pass for the error of a client's body.
            source: error.to_string().into(),
        })?;
        Ok(Answer { status: head.status, headers: head.headers, body })
    }

    /// Posts a form and reads the JSON of the answer. `who` is asked, for messages.
    pub(crate) async fn form<T: DeserializeOwned>(
        &self,
        who: &'static str,
        address: &Address,
        fields: &[(&str, &str)],
        authorization: Option<HeaderValue>,
    ) -> Result<T, TokenError> {
        let escaped = |text| utf8_percent_encode(text, NON_ALPHANUMERIC);
        let pairs: Vec<_> =
            fields.iter().map(|(name, value)| format!("{}={}", escaped(name), escaped(value))).collect();
        self.post(who, address, "application/x-www-form-urlencoded", pairs.join("&"), authorization).await
    }

    /// Posts a body and reads the JSON of the answer.
    pub(crate) async fn post<T: DeserializeOwned>(
        &self,
        who: &'static str,
        address: &Address,
        content_type: &'static str,
        body: String,
        authorization: Option<HeaderValue>,
    ) -> Result<T, TokenError> {
        let mut request = Request::post(address.target.as_str()).header(header::CONTENT_TYPE, content_type);
        if let Some(authorization) = authorization {
            request = request.header(header::AUTHORIZATION, authorization);
        }
        let unfit = |error: http::Error| TokenError::unavailable(format!("{who} can't be asked: {error}"));
        let answer = self.ask(who, &address.endpoint, request.body(body.into()).map_err(unfit)?).await?;
        // The reader's own message could quote the token.
        serde_json::from_slice(&answer.body).map_err(|error| {
            let place = format!("line {}, column {}", error.line(), error.column());
            TokenError::unavailable(format!("{who} answered with something else than a token ({place})"))
        })
    }

    /// Sends a request whose answer has to be 200.
    pub(crate) async fn ask(
        &self,
        who: &'static str,
        endpoint: &Endpoint,
        request: Request<Body>,
    ) -> Result<Answer, TokenError> {
        let answer = self.send(endpoint, request).await;
        let answer =
            answer.map_err(|error| TokenError::unavailable(format!("{who} does not answer: {}", chain(&error))))?;
        if answer.status == StatusCode::OK { Ok(answer) } else { Err(refusal(who, &answer)) }
    }
}

/// A bearer's header, kept out of logs.
pub(crate) fn bearer(token: &str) -> Result<HeaderValue, TokenError> {
    let value = HeaderValue::try_from(format!("Bearer {token}"));
    let mut value = value.map_err(|_| TokenError::unavailable("the token has characters that no header may have"))?;
    value.set_sensitive(true);
    Ok(value)
}

/// An answer of OAuth 2.0 (RFC 6749 5.2), or of Google's APIs, where `error` is an object.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Complaint {
    error: serde_json::Value,
    error_description: Option<String>,
}

/// The error of an answer that brings no token.
pub(crate) fn refusal(who: &'static str, answer: &Answer) -> TokenError {
    let complaint: Complaint = serde_json::from_slice(&answer.body).unwrap_or_default();
    let mut said = match &complaint.error {
        serde_json::Value::String(code) => code.clone(),
        other => other["message"].as_str().unwrap_or_default().to_owned(),
    };
    if let Some(description) = &complaint.error_description {
        said = format!("{said}: {description}");
    }
    let said: String = said.chars().map(|char| if char.is_control() { ' ' } else { char }).take(LONGEST).collect();
    let status = answer.status.as_u16();
    let message =
        if said.is_empty() { format!("{who} answered {status}") } else { format!("{who} answered {status}: {said}") };
    let kind = match status {
        429 => ErrorKind::Throttled,
        408 | 500.. => ErrorKind::Unavailable,
        _ => ErrorKind::Denied,
    };
    TokenError { retry_after: retry_after(&answer.headers), ..TokenError::new(kind, message) }
}
