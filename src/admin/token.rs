//! Who may ask: the admin's token, and no page of another site.

use axum::{
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use callgate_core::Secret;
use subtle::ConstantTimeEq;

use super::{Shared, refused};

/// What needs no token: probes have none, and the page holds nothing.
const OPEN: [&str; 5] = ["/", "/dashboard.css", "/dashboard.js", "/live", "/ready"];

/// Lets a request through that brings the token, if there is one to bring.
pub(super) async fn guard(State(shared): State<Shared>, request: Request, next: Next) -> Response {
    let changes = !matches!(*request.method(), Method::GET | Method::HEAD);
    if changes && is_cross_site(request.headers()) {
        return refused(StatusCode::FORBIDDEN, "pages of other sites may change nothing here");
    }
    let open = !changes && OPEN.contains(&request.uri().path());
    match shared.reloads.admin_token() {
        Some(token) if !open && !brings(request.headers(), &token) => {
            let message = "send the admin's token: `authorization: Bearer TOKEN`";
            let challenge = [(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"callgate admin\""))];
            (challenge, refused(StatusCode::UNAUTHORIZED, message)).into_response()
        }
        _ => next.run(request).await,
    }
}

/// Takes the same time for every wrong token of the right length.
fn brings(headers: &HeaderMap, token: &Secret) -> bool {
    let given = headers.get(header::AUTHORIZATION).and_then(|value| {
        let (scheme, token) = value.as_bytes().split_at_checked("Bearer ".len())?;
        scheme.eq_ignore_ascii_case(b"Bearer ").then_some(token)
    });
    given.is_some_and(|given| given.ct_eq(token.expose().as_bytes()).into())
}

/// Whether a browser sent the request for a page of another site. Programs tell neither header.
fn is_cross_site(headers: &HeaderMap) -> bool {
    match headers.get("sec-fetch-site") {
        Some(site) => site != "same-origin" && site != "none",
        None => headers.get(header::ORIGIN).is_some_and(|origin| {
            let host = headers.get(header::HOST).map(HeaderValue::as_bytes).unwrap_or_default();
            let named = origin.as_bytes().splitn(2, |byte| *byte == b'/').nth(1);
            named.and_then(|rest| rest.strip_prefix(b"/")) != Some(host)
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_static(value))).collect()
    }

    #[test]
    fn the_token_comes_as_a_bearer_token_and_whole() {
        let token = Secret::new("secret");
        for (given, fits) in [
            ("Bearer secret", true),
            ("bearer secret", true),
            ("Bearer secre", false),
            ("Bearer secret1", false),
            ("Bearer ", false),
            ("Basic secret", false),
            ("secret", false),
        ] {
            assert_eq!(brings(&headers(&[("authorization", given)]), &token), fits, "{given}");
        }
        assert!(!brings(&HeaderMap::new(), &token));
    }

    #[test]
    fn a_page_of_another_site_is_told_by_the_browser() {
        for (given, cross) in [
            (&[][..], false),
            (&[("sec-fetch-site", "same-origin")], false),
            (&[("sec-fetch-site", "cross-site")], true),
            (&[("sec-fetch-site", "same-site")], true),
            (&[("origin", "http://a:1"), ("host", "a:1")], false),
            (&[("origin", "http://b:1"), ("host", "a:1")], true),
            (&[("origin", "null"), ("host", "a:1")], true),
        ] {
            assert_eq!(is_cross_site(&headers(given)), cross, "{given:?}");
        }
    }
}
