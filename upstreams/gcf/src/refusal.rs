//! Replies that are Google's own and not the function's, told apart as far as they can be.
//!
//! Nothing in HTTP says which of the two a status comes from. What Google's front end answers has a known text on a
//! small page; what says so in a header needs no page. Everything else is the function's reply, and passes.

use callgate_core::{Body, BodyError, ErrorKind, Response, UpstreamError, retry_after};
use http::{
    HeaderMap, StatusCode,
    header::{CONTENT_TYPE, WWW_AUTHENTICATE},
    response::Parts,
};

use crate::shape::Carried;

/// The largest page that is looked at, in bytes. Google's have less than 600.
const LARGEST_PAGE: u64 = 4096;

/// What the functions frameworks set on the reply of a function that crashed.
const FUNCTION_STATUS: &str = "x-google-status";

/// A text of Google's front end: with this status, a page that contains it is the platform's.
struct Page {
    status: u16,
    text: &'static str,
    kind: ErrorKind,
    /// What is wrong then, for the log.
    means: &'static str,
}

/// Observed texts. <https://cloud.google.com/run/docs/troubleshooting> explains most of them.
const PAGES: [Page; 8] = [
    Page {
        status: 401,
        text: "Your client does not have permission to the requested URL",
        kind: ErrorKind::Denied,
        means: "Google does not accept the token: is its audience the function's?",
    },
    Page {
        status: 403,
        text: "Your client does not have permission to get URL",
        kind: ErrorKind::Denied,
        means: "the gateway's account lacks the role of an invoker, or the function's ingress does not let it in",
    },
    Page {
        status: 404,
        text: "The requested URL was not found on this server",
        kind: ErrorKind::Denied,
        means: "Google knows no function of this name",
    },
    Page {
        status: 429,
        text: "Rate exceeded.",
        kind: ErrorKind::Throttled,
        means: "no instance is free and no more may be started",
    },
    Page {
        status: 500,
        text: "The request was aborted because there was no available instance",
        kind: ErrorKind::Unavailable,
        means: "no instance is free",
    },
    Page {
        status: 503,
        text: "The request was aborted because there was no available instance",
        kind: ErrorKind::Unavailable,
        means: "no instance is free",
    },
    Page {
        status: 503,
        text: "The service you requested is not available yet",
        kind: ErrorKind::Unavailable,
        means: "the function is being deployed",
    },
    Page {
        status: 504,
        text: "upstream request timeout",
        kind: ErrorKind::Timeout,
        means: "the function did not end within the time that Google gives it",
    },
];

/// Lets the function's replies pass and turns the platform's into errors.
pub(crate) async fn examine(reply: Response, carried: Carried, function: &str) -> Result<Response, UpstreamError> {
    let status = reply.status();
    if !(status.is_client_error() || status.is_server_error()) {
        return Ok(reply);
    }
    let (head, body) = reply.into_parts();
    if let Some(error) = by_header(&head, carried, function) {
        return Err(error);
    }
    if !may_be_page(&head, &body) {
        return Ok(Response::from_parts(head, body));
    }
    let page = body.collect(LARGEST_PAGE).await.map_err(|error| cut(&error, function))?;
    match by_page(&head, &page, carried, function) {
        Some(error) => Err(error),
        None => Ok(Response::from_parts(head, page.into())),
    }
}

/// What a header says: that the function crashed, or that a token is refused where the gateway's is the only one.
fn by_header(head: &Parts, carried: Carried, function: &str) -> Option<UpstreamError> {
    if head.status == StatusCode::INTERNAL_SERVER_ERROR
        && let Some(how) = text(&head.headers, FUNCTION_STATUS).filter(|how| !how.eq_ignore_ascii_case("ok"))
    {
        let message = format!("the function {function} failed ({FUNCTION_STATUS}: {how})");
        return Some(UpstreamError::new(ErrorKind::FunctionError, message));
    }
    if matches!(head.status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) && carried == Carried::Token {
        let challenges = head.headers.get_all(WWW_AUTHENTICATE).iter().filter_map(|value| value.to_str().ok());
        let refused = challenges.into_iter().find(|challenge| {
            let challenge = challenge.to_ascii_lowercase();
            challenge.starts_with("bearer") && challenge.contains("error=")
        });
        return refused.map(|challenge| {
            let status = head.status.as_u16();
            let challenge: String = challenge.chars().take(300).collect();
            let message =
                format!("the gateway's token was refused at the function {function} with {status}: {challenge}");
            UpstreamError::new(ErrorKind::Denied, message)
        });
    }
    None
}

/// Only a page that is known to be small is read; a function's stream stays one.
fn may_be_page(head: &Parts, body: &Body) -> bool {
    let is_text = text(&head.headers, CONTENT_TYPE.as_str()).is_none_or(|kind| kind.starts_with("text/"));
    is_text
        && PAGES.iter().any(|page| page.status == head.status)
        && body.known_length().is_some_and(|length| (1..=LARGEST_PAGE).contains(&length))
}

fn by_page(head: &Parts, page: &[u8], carried: Carried, function: &str) -> Option<UpstreamError> {
    let page = std::str::from_utf8(page).ok()?;
    let found = PAGES.iter().find(|known| known.status == head.status && page.contains(known.text))?;
    // The client's own token is the client's business: it learns what became of it.
    if found.kind == ErrorKind::Denied && head.status != StatusCode::NOT_FOUND && carried == Carried::Clients {
        return None;
    }
    let status = head.status.as_u16();
    let message = format!("Google answered {status} for the function {function}: {}", found.means);
    let error = UpstreamError::new(found.kind, message);
    // No instance had it.
    let error = match found.kind {
        ErrorKind::Throttled | ErrorKind::Unavailable => error.not_executed(),
        _ => error,
    };
    Some(error.with_retry_after(retry_after(&head.headers)))
}

/// The cause goes into the message, not the source, so that nobody takes it for the error of the request's own body.
fn cut(error: &BodyError, function: &str) -> UpstreamError {
    let message = format!("the reply of the function {function} broke off: {error}");
    UpstreamError::new(ErrorKind::BadReply, message)
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use http::Response as Http;

    use super::*;

    const HTML: (&str, &str) = ("content-type", "text/html; charset=UTF-8");

    fn reply(status: u16, headers: &[(&str, &str)], body: &'static str) -> Response {
        let start = Http::builder().status(status);
        let built = headers.iter().fold(start, |built, (name, value)| built.header(*name, *value));
        built.body(Body::from(body)).unwrap()
    }

    /// The kind of the error, or the body that passes.
    async fn examined(reply: Response, carried: Carried) -> Result<String, ErrorKind> {
        match examine(reply, carried, "f").await {
            Ok(reply) => Ok(String::from_utf8(reply.into_body().collect(u64::MAX).await.unwrap().to_vec()).unwrap()),
            Err(error) => Err(error.kind()),
        }
    }

    const UNAUTHORIZED: &str = "<html><head>\n<title>401 Unauthorized</title>\n</head>\n<body text=#000000 bgcolor=#ffffff>\n\
        <h1>Error: Unauthorized</h1>\n<h2>Your client does not have permission to the requested URL <code>/</code>.</h2>\n</body></html>\n";
    const FORBIDDEN: &str = "<html><head>\n<title>403 Forbidden</title>\n</head>\n<body text=#000000 bgcolor=#ffffff>\n\
        <h1>Error: Forbidden</h1>\n<h2>Your client does not have permission to get URL <code>/f</code> from this server.</h2>\n</body></html>\n";
    const MISSING: &str = "<html><head>\n<title>404 Page not found</title>\n</head>\n<body text=#000000 bgcolor=#ffffff>\n\
        <h1>Error: Page not found</h1>\n<h2>The requested URL was not found on this server.</h2>\n</body></html>\n";

    #[tokio::test]
    async fn the_platforms_pages_are_errors() {
        let of = async |status, page| examined(reply(status, &[HTML], page), Carried::Token).await.unwrap_err();
        assert_eq!(of(401, UNAUTHORIZED).await, ErrorKind::Denied);
        assert_eq!(of(403, FORBIDDEN).await, ErrorKind::Denied);
        assert_eq!(of(404, MISSING).await, ErrorKind::Denied);
        assert_eq!(of(429, "Rate exceeded.").await, ErrorKind::Throttled);
        assert_eq!(
            of(503, "The request was aborted because there was no available instance.").await,
            ErrorKind::Unavailable
        );
        assert_eq!(of(504, "upstream request timeout").await, ErrorKind::Timeout);
    }

    #[tokio::test]
    async fn the_functions_own_replies_pass_untouched() {
        for (status, headers, body) in [
            (401, &[("www-authenticate", "Basic realm=\"shop\"")][..], "no"),
            (401, &[("www-authenticate", "Bearer realm=\"shop\"")][..], "no"),
            (403, &[HTML], "<h1>Forbidden</h1>"),
            (404, &[HTML], "<h1>Not found</h1>"),
            (429, &[("retry-after", "7")], "slow down"),
            (429, &[("content-type", "application/json")], "Rate exceeded."),
            (500, &[], "failed"),
            (200, &[HTML], FORBIDDEN),
            (418, &[HTML], FORBIDDEN),
        ] {
            assert_eq!(examined(reply(status, headers, body), Carried::Token).await.unwrap(), body, "{status}");
        }
    }

    #[tokio::test]
    async fn a_token_that_is_refused_is_ours_unless_the_client_sent_one_too() {
        let refused = || reply(401, &[("www-authenticate", "Bearer error=\"invalid_token\"")], "no");
        assert_eq!(examined(refused(), Carried::Token).await, Err(ErrorKind::Denied));
        assert_eq!(examined(refused(), Carried::TokenAndClients).await.unwrap(), "no");
        assert_eq!(examined(refused(), Carried::Clients).await.unwrap(), "no");
        let page = || reply(401, &[HTML], UNAUTHORIZED);
        assert_eq!(examined(page(), Carried::TokenAndClients).await, Err(ErrorKind::Denied));
        assert_eq!(examined(page(), Carried::Nothing).await, Err(ErrorKind::Denied));
        assert_eq!(examined(page(), Carried::Clients).await.unwrap(), UNAUTHORIZED);
    }

    #[tokio::test]
    async fn a_crash_is_told_by_its_header() {
        let crashed = reply(500, &[("x-google-status", "crash")], "500 Internal Server Error");
        assert_eq!(examined(crashed, Carried::Token).await, Err(ErrorKind::FunctionError));
    }

    #[tokio::test]
    async fn how_long_to_wait_is_kept() {
        let throttled = reply(429, &[("retry-after", "7")], "Rate exceeded.");
        let error = examine(throttled, Carried::Token, "f").await.unwrap_err();
        assert_eq!(error.retry_after(), Some(Duration::from_secs(7)));
    }
}
