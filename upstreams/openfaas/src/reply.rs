//! Whether a reply is the function's, or the platform's own.

use callgate_core::{Body, Response, UpstreamError};
use http::{HeaderValue, StatusCode, header::CONTENT_TYPE, response::Parts};

use crate::{
    error, peek,
    shape::{self, DURATION, INTERNAL},
};

/// How the gateway begins to say that there is no such function.
const NOT_FOUND: &[u8] = b"error finding function";

/// The most bytes of such a sentence.
const LONGEST: u64 = 1024;

/// How much of a refusal is read for the log.
const REFUSAL: u64 = 16 << 10;

/// Whose reply it is.
#[derive(Debug)]
pub(crate) enum Reply {
    /// The function's: the response.
    Functions(Response),
    /// A 404 that the function may have chosen, or the gateway for want of a function.
    Doubtful(Response),
}

/// Tells the platform's own replies from the function's. `late` says that the reply came after the gateway's own time.
pub(crate) async fn judge(name: &str, reply: Response, late: bool) -> Result<Reply, UpstreamError> {
    let (head, body) = reply.into_parts();
    if head.headers.contains_key(INTERNAL)
        && let Some(error) = error::platform(name, head.status, &head.headers)
    {
        return Err(error);
    }
    let untyped = !head.headers.contains_key(CONTENT_TYPE);
    let by_watchdog = head.headers.contains_key(DURATION);
    match head.status {
        StatusCode::OK if late && untyped => filled(head, body, || error::out_of_time(name)).await,
        StatusCode::BAD_GATEWAY if untyped && !by_watchdog => filled(head, body, || error::no_replica(name)).await,
        StatusCode::NOT_FOUND if !by_watchdog => unknown(name, head, body).await,
        _ => Ok(functions(head, body)),
    }
}

fn functions(head: Parts, body: Body) -> Reply {
    Reply::Functions(shape::response(Response::from_parts(head, body)))
}

/// A reply that is the function's if it says anything at all.
async fn filled(head: Parts, body: Body, empty: impl FnOnce() -> UpstreamError) -> Result<Reply, UpstreamError> {
    match peek::filled(body).await {
        Ok(Some(body)) => Ok(functions(head, body)),
        Ok(None) => Err(empty()),
        Err(broken) => Err(error::reply_body(&broken)),
    }
}

async fn unknown(name: &str, head: Parts, body: Body) -> Result<Reply, UpstreamError> {
    if !body.known_length().is_some_and(|length| (1..=LONGEST).contains(&length)) {
        return Ok(Reply::Doubtful(Response::from_parts(head, body)));
    }
    let text = body.collect(LONGEST).await.map_err(|broken| error::reply_body(&broken))?;
    if text.starts_with(NOT_FOUND) {
        return Err(error::unknown(name));
    }
    Ok(Reply::Doubtful(Response::from_parts(head, Body::from(text))))
}

/// The answer to a call that is to be queued; `sent` is the id that it was sent with.
pub(crate) async fn accepted(
    name: &str,
    reply: Response,
    sent: Option<HeaderValue>,
) -> Result<Response, UpstreamError> {
    let (head, body) = reply.into_parts();
    if head.status == StatusCode::ACCEPTED {
        return Ok(shape::accepted(&head.headers, sent));
    }
    let text = body.collect(REFUSAL).await.unwrap_or_default();
    Err(error::refused(&format!("the call of {name}"), head.status, &head.headers, &text))
}

#[cfg(test)]
mod tests {
    use callgate_core::ErrorKind;

    use super::*;

    fn reply(status: u16, headers: &[(&'static str, &'static str)], body: &'static str) -> Response {
        let mut reply = Response::new(Body::from(body));
        *reply.status_mut() = StatusCode::from_u16(status).unwrap();
        for (name, value) in headers {
            reply.headers_mut().insert(*name, HeaderValue::from_static(value));
        }
        reply
    }

    async fn kind(reply: Response, late: bool) -> Result<&'static str, ErrorKind> {
        match judge("figlet", reply, late).await {
            Ok(Reply::Functions(_)) => Ok("functions"),
            Ok(Reply::Doubtful(_)) => Ok("doubtful"),
            Err(error) => Err(error.kind()),
        }
    }

    #[tokio::test]
    async fn an_empty_untyped_200_after_the_gateways_time_is_a_time_out() {
        assert_eq!(kind(reply(200, &[], ""), true).await, Err(ErrorKind::Timeout));
        assert_eq!(kind(reply(200, &[], ""), false).await, Ok("functions"));
        assert_eq!(kind(reply(200, &[], "late but whole"), true).await, Ok("functions"));
        assert_eq!(kind(reply(200, &[("content-type", "text/plain")], ""), true).await, Ok("functions"));
        assert_eq!(kind(reply(204, &[], ""), true).await, Ok("functions"));
    }

    #[tokio::test]
    async fn statuses_that_the_platform_signs_are_failures() {
        let signed = |status| reply(status, &[("x-openfaas-internal", "of-watchdog"), ("retry-after", "3")], "x");
        assert_eq!(kind(signed(504), false).await, Err(ErrorKind::Timeout));
        assert_eq!(kind(signed(429), false).await, Err(ErrorKind::Throttled));
        assert_eq!(kind(signed(404), false).await, Err(ErrorKind::Denied));
        assert_eq!(kind(signed(413), false).await, Err(ErrorKind::BodyTooLarge));
        assert_eq!(kind(signed(500), false).await, Err(ErrorKind::FunctionError));
        assert_eq!(
            kind(reply(503, &[("x-openfaas-internal", "proxy")], "x"), false).await,
            Err(ErrorKind::Unavailable)
        );
        assert_eq!(kind(signed(200), false).await, Ok("functions"));
        let Err(throttled) = judge("figlet", signed(429), false).await else { panic!("it passed") };
        assert_eq!(throttled.retry_after(), Some(std::time::Duration::from_secs(3)));
    }

    #[tokio::test]
    async fn statuses_that_the_function_chose_pass() {
        let own = |status| reply(status, &[("x-duration-seconds", "0.1")], "");
        for status in [201, 400, 401, 403, 404, 429, 500, 502, 503, 504] {
            assert_eq!(kind(own(status), false).await, Ok("functions"), "{status}");
        }
        for status in [401, 403, 429, 500, 503, 504] {
            assert_eq!(kind(reply(status, &[], ""), false).await, Ok("functions"), "{status}");
        }
    }

    #[tokio::test]
    async fn a_bare_502_says_that_no_replica_answered() {
        assert_eq!(kind(reply(502, &[], ""), false).await, Err(ErrorKind::Unavailable));
        assert_eq!(kind(reply(502, &[], "mine"), false).await, Ok("functions"));
        assert_eq!(kind(reply(502, &[("content-type", "text/html")], ""), false).await, Ok("functions"));
    }

    #[tokio::test]
    async fn a_404_without_a_watchdog_is_looked_at() {
        let missing = "error finding function figlet.openfaas-fn: not found";
        assert_eq!(kind(reply(404, &[], missing), false).await, Err(ErrorKind::Denied));
        assert_eq!(kind(reply(404, &[], ""), false).await, Ok("doubtful"));
        let Ok(Reply::Doubtful(kept)) = judge("figlet", reply(404, &[], "no such order"), false).await else {
            panic!("it is in doubt")
        };
        assert_eq!(kept.into_body().collect(99).await.unwrap(), "no such order");
    }

    #[tokio::test]
    async fn only_202_says_that_a_call_was_queued() {
        let answer = async |status| accepted("figlet", reply(status, &[("retry-after", "2")], "why"), None).await;
        assert_eq!(answer(202).await.unwrap().status(), 202);
        for (status, kind) in [
            (200, ErrorKind::BadReply),
            (302, ErrorKind::BadReply),
            (405, ErrorKind::BadReply),
            (401, ErrorKind::Denied),
            (404, ErrorKind::Denied),
            (413, ErrorKind::BodyTooLarge),
            (429, ErrorKind::Throttled),
            (500, ErrorKind::Unavailable),
            (503, ErrorKind::Unavailable),
            (504, ErrorKind::Timeout),
        ] {
            let error = answer(status).await.unwrap_err();
            assert_eq!(error.kind(), kind, "{status}");
            assert!(error.message().contains("figlet") && error.detail().is_none(), "{error}");
        }
    }
}
