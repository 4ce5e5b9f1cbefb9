//! Forward proxies.

use std::{
    net::TcpStream,
    sync::{Arc, Mutex},
};

use callgate_core::{Body, ErrorKind, UpstreamError};
use callgate_http::{Endpoint, HttpClient, HttpSettings, ProxySettings, TlsSettings};
use http::{Request, Version};

use crate::{
    peer::{Raw, context, fetch, get},
    secure::{Authority, serve},
};

/// A proxy that leads every tunnel to one address, and answers other requests itself. The second value is the heads of
/// all requests that it got.
fn proxy(to: Option<u16>) -> (Raw, Arc<Mutex<Vec<String>>>) {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let seen = asked.clone();
    let server = Raw::start(move |_, mut peer| {
        while let Some(head) = peer.head() {
            seen.lock().unwrap().push(head.clone());
            match to {
                Some(port) if head.starts_with("CONNECT ") => {
                    let server = TcpStream::connect(("127.0.0.1", port)).unwrap();
                    peer.send("HTTP/1.1 200 Connection established\r\nproxy-agent: test\r\n\r\n");
                    return peer.join(server);
                }
                _ => peer.send("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nproxy"),
            };
        }
    });
    (server, asked)
}

fn through(proxy: &Raw, settings: HttpSettings) -> HttpClient {
    let proxy = ProxySettings {
        url: format!("http://{}", proxy.endpoint.authority()),
        user: Some("gate".into()),
        password: Some("hush".parse().unwrap()),
    };
    HttpClient::new(HttpSettings { proxy: Some(proxy), ..settings }, &context()).unwrap()
}

#[tokio::test]
async fn https_goes_through_a_tunnel_that_is_encrypted_from_end_to_end() {
    let authority = Authority::new();
    for protocols in [&["http/1.1"][..], &["h2"]] {
        let server = serve(Some(authority.server("service.test", protocols, false)), false);
        let (proxy, asked) = proxy(Some(server.endpoint.port()));
        let tls = TlsSettings { ca: Some(authority.file("ca.pem")), ..TlsSettings::default() };
        let client = through(&proxy, HttpSettings { tls: Some(tls), ..HttpSettings::default() });
        // Only the proxy knows this name.
        let endpoint = Endpoint::parse("https://service.test").unwrap();
        for _ in 0..2 {
            let request = Request::post("/path").body(Body::from("secret")).unwrap();
            let reply = fetch(&client, &endpoint, request).await.unwrap();
            assert!(reply.body().contains("secret"), "{reply:?}");
        }
        let asked = asked.lock().unwrap();
        assert_eq!(asked.len(), 1, "the second request uses the tunnel of the first");
        assert!(
            asked[0].starts_with("CONNECT service.test:443 HTTP/1.1\r\nhost: service.test:443\r\n"),
            "{}",
            asked[0]
        );
        assert!(asked[0].contains("\r\nproxy-authorization: Basic Z2F0ZTpodXNo\r\n"), "{}", asked[0]);
    }
}

#[tokio::test]
async fn http_is_asked_of_the_proxy_in_absolute_form() {
    let (proxy, asked) = proxy(None);
    let client = through(&proxy, HttpSettings::default());
    let endpoint = Endpoint::parse("http://service.test:8080").unwrap();
    for _ in 0..2 {
        let reply = fetch(&client, &endpoint, get("/path?q=1")).await.unwrap();
        assert_eq!((reply.version(), reply.body().as_str()), (Version::HTTP_11, "proxy"));
    }
    let asked = asked.lock().unwrap();
    assert_eq!((asked.len(), proxy.accepted()), (2, 1));
    assert!(asked[0].starts_with("GET http://service.test:8080/path?q=1 HTTP/1.1\r\n"), "{}", asked[0]);
    let lower = asked[0].to_ascii_lowercase();
    assert!(lower.contains("host: service.test:8080\r\n") && lower.contains("proxy-authorization: basic"), "{lower}");
}

#[tokio::test]
async fn a_proxy_that_refuses_is_named_and_nothing_is_sent() {
    let refusals: [(&str, &str); 3] = [
        ("HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n", "407"),
        ("HTTP/1.1 200 OK\r\n\r\nbytes that nobody asked for", "no HTTP"),
        ("", "end of file"),
    ];
    for (answer, said) in refusals {
        let proxy = Raw::replying_once(answer);
        let client = through(&proxy, HttpSettings::default());
        let endpoint = Endpoint::parse("https://service.test").unwrap();
        let error = fetch(&client, &endpoint, get("/")).await.unwrap_err();
        assert!(error.is_before_sent());
        let error = UpstreamError::from(error);
        assert_eq!(error.kind(), ErrorKind::Unreachable);
        let text = callgate_core::chain(&error);
        assert!(text.contains(said) && text.contains("service.test") && !text.contains("hush"), "{text}");
        client.probe(&endpoint).await.unwrap_err();
    }
}

#[tokio::test]
async fn a_request_that_no_proxy_took_is_given_back_as_it_was() {
    let settings = ProxySettings { url: "http://127.0.0.1:1".to_owned(), user: Some("gate".into()), password: None };
    let client =
        HttpClient::new(HttpSettings { proxy: Some(settings), ..HttpSettings::default() }, &context()).unwrap();
    let endpoint = Endpoint::parse("http://service.test").unwrap();
    let failure = client.try_send(&endpoint, get("/path")).await.unwrap_err();
    let unsent = failure.unsent.unwrap();
    assert_eq!(unsent.uri(), "/path");
    assert!(unsent.headers().is_empty(), "{unsent:?}");
}
