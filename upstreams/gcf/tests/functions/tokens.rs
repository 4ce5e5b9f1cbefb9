//! Tokens on the way to functions, verified by google-auth.

use callgate_core::Body;
use callgate_testkit::peers::{Function, FunctionsFramework, GoogleTokens, http::Server, present};
use http::Request;
use serde_json::{Value, json};

use crate::stage::Stage;

/// A function that tells what google-auth says of its caller's token.
const WHOAMI: &str = r#"
import os
import google.auth.transport.requests
import google.oauth2.id_token

def whoami(request):
    header = request.headers.get(os.environ["TOKEN_HEADER"], "")
    token = header.removeprefix("Bearer ")
    transport = google.auth.transport.requests.Request()
    claims = google.oauth2.id_token.verify_token(token, transport, certs_url=os.environ["CERTIFICATES"])
    return {"claims": claims, "authorization": request.headers.get("authorization")}
"#;

fn options(peer: &GoogleTokens, url: &str, credentials: &str, more: &str) -> String {
    let file = peer.credentials(credentials);
    format!("{{url: \"{url}\", credentials: {{file: \"{}\"}}{more}}}", file.display())
}

fn authorized() -> Request<Body> {
    Request::get("/").header("authorization", "Basic Y2xpZW50OnM=").body(Body::empty()).unwrap()
}

#[tokio::test]
async fn a_real_function_verifies_the_gateways_token() {
    let Some(peer) = present(GoogleTokens::start().await) else { return };
    let function = Function::http(WHOAMI, "whoami").with("CERTIFICATES", &format!("{}/certs", peer.url));
    let function = function.with("TOKEN_HEADER", "authorization");
    let Some(function) = present(FunctionsFramework::start(function).await) else { return };
    let stage = Stage::one(&options(&peer, &function.url(), "service_account", "")).await;
    let claims = stage.call(authorized()).await.json()["claims"].clone();
    assert_eq!((&claims["aud"], &claims["email"]), (&json!(function.url()), &json!(peer.account)));
    assert_eq!(claims["email_verified"], true);
}

#[tokio::test]
async fn with_the_serverless_header_the_clients_authorization_survives() {
    let Some(peer) = present(GoogleTokens::start().await) else { return };
    let function = Function::http(WHOAMI, "whoami").with("CERTIFICATES", &format!("{}/certs", peer.url));
    let function = function.with("TOKEN_HEADER", "x-serverless-authorization");
    let Some(function) = present(FunctionsFramework::start(function).await) else { return };
    let more = ", token_header: x-serverless-authorization, audience: \"https://shop.example\"";
    let stage = Stage::one(&options(&peer, &function.url(), "impersonated", more)).await;
    let seen = stage.call(authorized()).await.json();
    assert_eq!(
        (&seen["claims"]["aud"], &seen["claims"]["email"]),
        (&json!("https://shop.example"), &json!(peer.invoker))
    );
    assert_eq!(seen["authorization"], "Basic Y2xpZW50OnM=");
}

/// The header of a request to an echoing server.
async fn sent(stage: &Stage, path: &str, name: &str) -> Option<String> {
    let request = Request::get(path).header("authorization", "Bearer clients");
    let request = request.header("x-serverless-authorization", "Bearer clients").body(Body::empty()).unwrap();
    let echo = stage.call(request).await.json();
    let headers = echo["headers"].as_array().unwrap();
    let found: Vec<&Value> = headers.iter().filter(|pair| pair[0] == name).collect();
    assert!(found.len() <= 1, "{echo}");
    found.first().map(|pair| pair[1].as_str().unwrap().to_owned())
}

#[tokio::test]
async fn the_gateways_token_replaces_what_a_client_brings() {
    let Some(peer) = present(GoogleTokens::start().await) else { return };
    let server = Server::start().await.unwrap();
    let stage = Stage::one(&options(&peer, &format!("{}/echo", server.url()), "service_account", "")).await;
    let token = sent(&stage, "/", "authorization").await.unwrap();
    let claims = peer.verify(token.strip_prefix("Bearer ").unwrap(), &format!("{}/echo", server.url())).await.unwrap();
    assert_eq!(claims["email"], json!(peer.account));
    assert_eq!(sent(&stage, "/", "x-serverless-authorization").await, None);
    let more = ", token_header: x-serverless-authorization";
    let stage = Stage::one(&options(&peer, &format!("{}/echo", server.url()), "service_account", more)).await;
    assert_eq!(sent(&stage, "/", "authorization").await.as_deref(), Some("Bearer clients"));
    assert!(sent(&stage, "/", "x-serverless-authorization").await.unwrap().starts_with("Bearer ey"));
}

#[tokio::test]
async fn each_function_is_an_audience_and_its_token_is_fetched_once() {
    let Some(peer) = present(GoogleTokens::start().await) else { return };
    let server = Server::start().await.unwrap();
    let url = server.url();
    let routes = [
        "{match: \"/a/{*rest}\", to: functions/echo}",
        "{match: /b, to: {upstream: functions, function: b, url: \"URL/echo/b/\"}}",
    ];
    let routes = routes.map(|route| route.replace("URL", &url));
    let stage = Stage::with(&options(&peer, &url, "service_account", ""), &routes.each_ref().map(String::as_str)).await;
    for (path, audience) in [("/a/x", format!("{url}/echo")), ("/b", format!("{url}/echo/b"))] {
        for _ in 0..5 {
            let token = sent(&stage, path, "authorization").await.unwrap();
            let claims = peer.verify(token.strip_prefix("Bearer ").unwrap(), &audience).await.unwrap();
            assert_eq!(claims["aud"], json!(audience), "{path}");
        }
    }
    let asked = peer.requests().await.unwrap().iter().filter(|request| request["path"] == "/token").count();
    assert_eq!(asked, 2);
}

#[tokio::test]
async fn ready_follows_the_tokens_and_the_functions() {
    let Some(peer) = present(GoogleTokens::start().await) else { return };
    let server = Server::start().await.unwrap();
    let stage = Stage::one(&options(&peer, &server.url(), "service_account", "")).await;
    stage.ready().await.unwrap();
    peer.set_trouble(json!({"path": "/token", "status": 403})).await.unwrap();
    let denied = Stage::one(&options(&peer, &server.url(), "service_account", "")).await;
    assert!(denied.ready().await.unwrap_err().contains("403"));
    server.stop().await;
    assert!(stage.ready().await.unwrap_err().contains("no connection"));
}
