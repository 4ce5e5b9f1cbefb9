//! Problem documents.

use std::{borrow::Cow, time::Duration};

use http::{HeaderName, HeaderValue, StatusCode, header};
use serde::Serialize;
use serde_json::{Map, Value};

use super::{Code, Speech, grpc};
use crate::{
    body::{Body, BodyError},
    error::UpstreamError,
    failure::Failure,
    invocation::Response,
    request_id::RequestId,
};

/// Names the code of a failure that the gateway itself answers.
pub(crate) const ERROR: HeaderName = HeaderName::from_static("callgate-error");

/// What a client is told to wait when the upstream gave no time of its own.
const RETRY_AFTER: Duration = Duration::from_secs(1);

#[derive(Serialize)]
struct Problem<'a> {
    r#type: String,
    title: &'static str,
    status: u16,
    detail: &'a str,
    request_id: &'a str,
    #[serde(flatten)]
    members: Option<&'a Map<String, Value>>,
}

/// The status that is answered for a failure.
pub(crate) fn status(failure: &Failure) -> StatusCode {
    let own = match failure.cause() {
        Failure::Upstream(error) => error.status(),
        _ => None,
    };
    own.unwrap_or(Code::from(failure).status())
}

/// Answers for a failure, in the client's own speech.
pub(crate) fn respond(failure: &Failure, id: RequestId, speech: Speech) -> Response {
    let failure = failure.cause();
    let code = Code::from(failure);
    let detail = detail(failure, code);
    let mut response = match speech {
        Speech::Plain => document(failure, code, &detail, id),
        Speech::Grpc => grpc::respond(code, &detail),
        Speech::GrpcWeb { is_text } => grpc::respond_web(code, &detail, is_text),
    };
    let headers = response.headers_mut();
    headers.insert(ERROR, HeaderValue::from_static(code.as_str()));
    if let Failure::MethodNotAllowed { allow } = failure {
        headers.insert(header::ALLOW, allow.clone());
    }
    if let Failure::Denied(denial) = failure {
        headers.extend((*denial.headers).clone());
    }
    let asked = failure.retry_after();
    let wait = match code {
        Code::UpstreamThrottled | Code::UpstreamUnavailable => Some(asked.unwrap_or(RETRY_AFTER)),
        Code::GrpcStatus => asked,
        _ => None,
    };
    if let Some(wait) = wait {
        let seconds = wait.as_secs_f64().ceil();
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a duration's seconds, rounded up")]
        let seconds = (seconds as u64).max(1);
        headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

fn document(failure: &Failure, code: Code, detail: &str, id: RequestId) -> Response {
    let status = status(failure);
    let problem = Problem {
        r#type: format!("urn:callgate:error:{}", code.as_str()),
        title: code.title(),
        status: status.as_u16(),
        detail,
        request_id: id.as_str(),
        members: match failure {
            Failure::Upstream(error) => error.members(),
            _ => None,
        },
    };
    let mut response = Response::new(Body::from(serde_json::to_vec(&problem).unwrap_or_default()));
    *response.status_mut() = status;
    let kind = HeaderValue::from_static("application/problem+json");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}

/// The sentence for the client: never the log's message of an upstream.
pub(crate) fn detail(failure: &Failure, code: Code) -> Cow<'_, str> {
    match failure.cause() {
        Failure::BadRequest(sentence) => sentence.as_ref().into(),
        Failure::RequestTooLarge { limit } => {
            format!("The request's body is larger than the {limit} bytes that this route allows.").into()
        }
        Failure::RequestBody(BodyError::TimedOut) => {
            "The request's body did not arrive within the time that this route allows.".into()
        }
        Failure::RequestBody(_) | Failure::RequestBroken(_) => {
            "The request's body ended before it was complete.".into()
        }
        Failure::Template { error, .. } if Failure::is_clients(error) => error.public_detail().into(),
        Failure::Upstream(error) => UpstreamError::detail(error).unwrap_or(code.detail()).into(),
        Failure::Denied(denial) => (&*denial.detail).into(),
        Failure::NoRoute
        | Failure::MethodNotAllowed { .. }
        | Failure::Template { .. }
        | Failure::ReplyTooLarge { .. }
        | Failure::ReplyBody(_)
        | Failure::TimedOut
        | Failure::Undecided
        | Failure::Refused { .. }
        | Failure::Retried(_) => code.detail().into(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::error::ErrorKind;

    async fn answered(error: UpstreamError) -> (StatusCode, Value) {
        let response = respond(&Failure::from(error), RequestId::random(), Speech::Plain);
        let status = response.status();
        (status, serde_json::from_slice(&response.into_body().collect(1 << 16).await.unwrap()).unwrap())
    }

    #[tokio::test]
    async fn an_upstream_adds_members_and_says_whom_the_failure_is_blamed_on() {
        let fault = json!({"code": "Client", "reason": "no such sku", "detail": null});
        let error = UpstreamError::new(ErrorKind::SoapFault, "a fault").with_member("fault", fault.clone());
        let (status, problem) = answered(error).await;
        assert_eq!((status, &problem["status"], &problem["fault"]), (StatusCode::BAD_GATEWAY, &json!(502), &fault));
        let error = UpstreamError::new(ErrorKind::SoapFault, "a fault").with_status(StatusCode::BAD_REQUEST);
        let (status, problem) = answered(error).await;
        assert_eq!((status, &problem["status"]), (StatusCode::BAD_REQUEST, &json!(400)));
        assert_eq!((&problem["type"], problem.get("fault")), (&json!("urn:callgate:error:soap_fault"), None));
    }

    #[test]
    fn a_wait_is_told_where_one_is_asked_for() {
        let told = |kind, wait: Option<u64>| {
            let mut error = UpstreamError::new(kind, "x");
            if let Some(wait) = wait {
                error = error.with_retry_after(Duration::from_millis(wait));
            }
            let response = respond(&Failure::from(error), RequestId::random(), Speech::Plain);
            response.headers().get(header::RETRY_AFTER).map(|wait| wait.to_str().unwrap().to_owned())
        };
        assert_eq!(told(ErrorKind::Throttled, Some(6500)).as_deref(), Some("7"));
        assert_eq!(told(ErrorKind::Unavailable, None).as_deref(), Some("1"));
        assert_eq!(told(ErrorKind::GrpcStatus, Some(2000)).as_deref(), Some("2"));
        assert_eq!(told(ErrorKind::GrpcStatus, None), None);
        assert_eq!(told(ErrorKind::FunctionError, Some(2000)), None);
    }
}
