//! A consumer's reply as a response.

use bytes::Bytes;
use http::{Response, StatusCode};
use lapin::BasicProperties;

use crate::{
    error::AmqpError,
    outgoing::{Outgoing, target},
    shape,
};

/// The header by which a consumer chooses the status of the response.
pub(crate) const STATUS: &str = "callgate-status";

/// Head and body of the response for a reply.
pub(crate) fn of(
    message: &Outgoing,
    properties: &BasicProperties,
    data: Vec<u8>,
) -> Result<Response<Bytes>, AmqpError> {
    let mut reply = shape::message(properties, data);
    let status = match reply.header(STATUS) {
        None => StatusCode::OK,
        Some(text) => status(text)
            .ok_or_else(|| AmqpError::Status { target: target(message), status: text.chars().take(20).collect() })?,
    };
    reply.headers.retain(|(name, _)| !name.eq_ignore_ascii_case(STATUS));
    Ok(reply.into_response(&shape::BINDING, status))
}

fn status(text: &str) -> Option<StatusCode> {
    let status = text.parse().ok().and_then(|code: u16| StatusCode::from_u16(code).ok());
    status.filter(|status| (200..600).contains(&status.as_u16()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_that_http_has_not_is_none() {
        assert_eq!(status("404"), Some(StatusCode::NOT_FOUND));
        for text in ["", "0", "100", "700", "many", "-200"] {
            assert_eq!(status(text), None, "{text}");
        }
    }
}
