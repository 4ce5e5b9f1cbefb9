//! What Google's front end answers in place of a function, by a stand-in that answers its pages.
//!
//! What it cannot prove: that the front end still answers so. The texts are those that its users have reported.

use callgate_core::Body;
use callgate_testkit::peers::{GoogleTokens, present};
use http::Request;

use crate::stage::{Raw, Stage};

const HTML: &str = "content-type: text/html; charset=UTF-8\r\nserver: Google Frontend\r\n";

fn page(title: &str, text: &str) -> String {
    format!(
        "<html><head>\n<meta http-equiv=\"content-type\" content=\"text/html;charset=utf-8\">\n<title>{title}</title>\n\
         </head>\n<body text=#000000 bgcolor=#ffffff>\n<h1>Error: {title}</h1>\n<h2>{text}</h2>\n<h2></h2>\n</body></html>\n"
    )
}

async fn stage(peer: &GoogleTokens, function: &Raw, more: &str) -> Stage {
    let file = peer.credentials("service_account");
    Stage::one(&format!("{{url: \"{}\", credentials: {{file: \"{}\"}}{more}}}", function.url, file.display())).await
}

#[tokio::test]
async fn refused_tokens_and_names_are_denied() {
    let Some(peer) = present(GoogleTokens::start().await) else { return };
    for (status, headers, body) in [
        (
            "401 Unauthorized",
            HTML,
            page("Unauthorized", "Your client does not have permission to the requested URL <code>/</code>."),
        ),
        (
            "403 Forbidden",
            HTML,
            page("Forbidden", "Your client does not have permission to get URL <code>/</code> from this server."),
        ),
        ("404 Not Found", HTML, page("Page not found", "The requested URL was not found on this server.")),
        (
            "401 Unauthorized",
            "www-authenticate: Bearer error=\"invalid_token\" error_description=\"The access token could not be verified\"\r\n",
            String::new(),
        ),
    ] {
        let function = Raw::replying(status, headers, &body);
        let answer = stage(&peer, &function, "").await.get("/").await;
        assert_eq!(answer.failure(), (502, "upstream_denied"), "{status}");
        assert!(!answer.body.contains("permission") && !answer.headers.contains_key("www-authenticate"), "{answer:?}");
    }
}

#[tokio::test]
async fn a_functions_own_refusal_passes() {
    let Some(peer) = present(GoogleTokens::start().await) else { return };
    for (status, headers, body) in [
        ("401 Unauthorized", "www-authenticate: Basic realm=\"shop\"\r\n", "log in first"),
        ("403 Forbidden", HTML, "<h1>Not for you</h1>"),
        ("404 Not Found", "content-type: application/json\r\n", "{\"missing\": 7}"),
    ] {
        let function = Raw::replying(status, headers, body);
        let answer = stage(&peer, &function, "").await.get("/").await;
        assert_eq!((answer.status, answer.header("callgate-error")), (status[..3].parse().unwrap(), None));
        assert_eq!(answer.body, body);
    }
}

#[tokio::test]
async fn a_refusal_of_the_clients_own_authorization_passes() {
    let Some(peer) = present(GoogleTokens::start().await) else { return };
    let function =
        Raw::replying("401 Unauthorized", "www-authenticate: Bearer error=\"invalid_token\"\r\n", "not yours");
    let stage = stage(&peer, &function, ", token_header: x-serverless-authorization").await;
    let request = Request::get("/").header("authorization", "Bearer clients").body(Body::empty()).unwrap();
    let answer = stage.call(request).await;
    assert_eq!((answer.status, answer.body.as_str()), (401, "not yours"));
    assert_eq!(stage.get("/").await.failure(), (502, "upstream_denied"), "the gateway's is the only token");
}

#[tokio::test]
async fn a_platform_without_room_is_throttled_or_unavailable_with_its_wait() {
    let throttled =
        Raw::replying("429 Too Many Requests", "content-type: text/html\r\nretry-after: 12\r\n", "Rate exceeded.");
    let options = |function: &Raw| format!("{{url: \"{}\", credentials: none}}", function.url);
    let answer = Stage::one(&options(&throttled)).await.get("/").await;
    assert_eq!((answer.failure(), answer.header("retry-after")), ((503, "upstream_throttled"), Some("12")));
    let text = "The request was aborted because there was no available instance.";
    let full = Raw::replying("503 Service Unavailable", "content-type: text/plain\r\n", text);
    assert_eq!(Stage::one(&options(&full)).await.get("/").await.failure(), (503, "upstream_unavailable"));
    let late = Raw::replying("504 Gateway Timeout", "content-type: text/plain\r\n", "upstream request timeout");
    assert_eq!(Stage::one(&options(&late)).await.get("/").await.failure(), (504, "upstream_timeout"));
}

#[tokio::test]
async fn a_functions_own_429_passes_with_its_wait() {
    let function = Raw::replying("429 Too Many Requests", "retry-after: 12\r\n", "not so fast");
    let answer = Stage::one(&format!("{{url: \"{}\", credentials: none}}", function.url)).await.get("/").await;
    assert_eq!((answer.status, answer.header("retry-after"), answer.header("callgate-error")), (429, Some("12"), None));
    assert_eq!(answer.body, "not so fast");
}
