//! A responder's reply as a response.

use async_nats::{Message, Subject};
use bytes::Bytes;
use http::{Response, StatusCode};

use crate::{
    error::NatsError,
    shape::{self, BINDING},
};

/// The status that a responder chooses, by the convention of NATS's service framework (ADR-32).
const STATUS: &str = "Nats-Service-Error-Code";

/// Head and body of the response for one reply.
pub(crate) fn of(subject: &Subject, reply: Message) -> Result<Response<Bytes>, NatsError> {
    let code = reply.headers.as_ref().and_then(|headers| headers.get(STATUS));
    let status = code.map_or(Ok(StatusCode::OK), |code| {
        let status = code.as_str().parse().ok().and_then(|code: u16| StatusCode::from_u16(code).ok());
        let status = status.filter(|status| (200..600).contains(&status.as_u16()));
        status.ok_or_else(|| NatsError::Status { subject: subject.to_string(), status: code.as_str().to_owned() })
    })?;
    Ok(shape::message(reply.headers.as_ref(), reply.payload).into_response(&BINDING, status))
}

#[cfg(test)]
mod tests {
    use async_nats::HeaderMap;

    use super::*;

    fn reply(code: Option<&str>) -> Result<Response<Bytes>, NatsError> {
        let mut headers = HeaderMap::new();
        headers.insert("X-Kind", "k");
        if let Some(code) = code {
            headers.insert(STATUS, code);
        }
        let payload = Bytes::from_static(b"body");
        let (subject, length) = (Subject::from("inbox"), payload.len());
        let message =
            Message { subject, reply: None, payload, headers: Some(headers), status: None, description: None, length };
        of(&"a".into(), message)
    }

    #[test]
    fn the_responder_chooses_status_and_headers() {
        let response = reply(Some("404")).unwrap();
        assert_eq!(response.status(), StatusCode::NOT_FOUND);
        assert_eq!(response.headers().len(), 1, "NATS's own stay behind");
        assert_eq!(reply(None).unwrap().status(), StatusCode::OK);
    }

    #[test]
    fn a_status_that_http_has_not_is_a_bad_reply() {
        for code in ["0", "100", "700", "many"] {
            assert!(matches!(reply(Some(code)), Err(NatsError::Status { .. })), "{code}");
        }
    }
}
