//! `/try`: a request that an operator sends through the gateway, with each of its steps.

use std::net::IpAddr;

use axum::{Json, extract::State, extract::rejection::JsonRejection, http::StatusCode, response::Response};
use callgate_core::Trial;
use http::{HeaderName, HeaderValue, Request};
use serde::Deserialize;

use super::{Options, Shared, refused};

/// The request to send.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Attempt {
    /// Default: GET.
    method: Option<String>,
    /// `/path?query`, or with a host before it.
    url: String,
    /// Names and values.
    #[serde(default)]
    headers: Vec<(String, String)>,
    /// The body, as text.
    #[serde(default)]
    body: String,
    /// The client's address. Default: none.
    client: Option<IpAddr>,
}

pub(super) async fn attempt(
    State(shared): State<Shared>,
    options: Options,
    attempt: Result<Json<Attempt>, JsonRejection>,
) -> Result<Json<Trial>, Response> {
    options.among(&[])?;
    // The content type is asked for: a page of another site can't send it without leave.
    let Json(attempt) = attempt.map_err(|wrong| refused(wrong.status(), &wrong.body_text()))?;
    let client = attempt.client;
    let request = request(attempt).map_err(|wrong| refused(StatusCode::BAD_REQUEST, &wrong))?;
    Ok(Json(shared.gateway.try_out(request, client).await))
}

fn request(attempt: Attempt) -> Result<Request<bytes::Bytes>, String> {
    let Attempt { method, url, headers, body, .. } = attempt;
    let body = bytes::Bytes::from(body);
    let mut request = Request::new(body.clone());
    if let Some(method) = method {
        *request.method_mut() = method.parse().map_err(|_| format!("`{method}` is no request method"))?;
    }
    let uri: http::Uri = url.parse().map_err(|error| format!("`{url}` is no URL: {error}"))?;
    if uri.scheme().is_none() && !url.starts_with('/') {
        return Err(format!("`{url}` is no URL: write /path, or http://host/path"));
    }
    *request.uri_mut() = uri;
    for (name, value) in headers {
        let header: HeaderName = name.trim().parse().map_err(|_| format!("`{name}` is no header's name"))?;
        let value = HeaderValue::from_str(value.trim()).map_err(|_| format!("`{name}` has a value that is none"))?;
        request.headers_mut().append(header, value);
    }
    if !body.is_empty() {
        request.headers_mut().entry(http::header::CONTENT_LENGTH).or_insert(body.len().into());
    }
    Ok(request)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_no_request_is_told() {
        for (attempt, wrong) in [
            (json!({"url": "x"}), "write /path"),
            (json!({"url": "/", "method": "G T"}), "`G T` is no request method"),
            (json!({"url": "/", "headers": [["a b", "c"]]}), "`a b` is no header's name"),
            (json!({"url": "/", "headers": [["a", "c\n"], ["b", "c\u{0}"]]}), "`b` has a value that is none"),
        ] {
            let attempt = serde_json::from_value(attempt).unwrap();
            let told = request(attempt).unwrap_err();
            assert!(told.contains(wrong), "{told}");
        }
    }
}
