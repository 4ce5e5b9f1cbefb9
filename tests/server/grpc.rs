//! gRPC over the server's own socket: a client and a service of another library, and the gateway between them.

use callgate_testkit::peers::{GrpcClient, GrpcService, Wire, present};
use serde_json::json;

use crate::{gate::SOON, gateway};

/// A gateway whose upstream has these options.
async fn serve(upstream: &str) -> (callgate::server::Server, std::net::SocketAddr) {
    let yaml = format!(
        "upstreams: {{shop: {{grpc: {{{upstream}}}}}}}\nroutes: [{{match: '/{{*rest}}', to: {{upstream: shop}}}}]"
    );
    gateway::serve(&yaml, &callgate::registry()).await
}

#[tokio::test]
async fn calls_of_all_kinds_pass_the_server() {
    let Some(peer) = present(GrpcService::start().await) else { return };
    let Some(client) = present(GrpcClient::start(&peer)) else { return };
    let (_server, address) = serve(&format!("url: \"{}\"", peer.url())).await;
    for (kind, arguments, replies) in [
        ("unary", json!({"method": "Greet", "message": {"name": "a"}}), json!(["Hello, a."])),
        ("count", json!({"message": {"to": 100}}), json!((1..=100).collect::<Vec<_>>())),
        ("collect", json!({"numbers": [1, 2, 3]}), json!([6])),
        ("chat", json!({"texts": ["a", "b"]}), json!(["a?", "b?"])),
    ] {
        let answer = client.call(address, kind, arguments).await.unwrap();
        assert_eq!((&answer["code"], &answer["replies"]), (&json!(0), &replies), "{kind}: {answer}");
    }
    let lost = client.call(address, "count", json!({"message": {"to": 3, "fails_at": 2}})).await.unwrap();
    assert_eq!((&lost["code"], &lost["message"], &lost["replies"]), (&json!(15), &json!("lost at 2"), &json!([1])));
}

#[tokio::test]
async fn a_stream_that_fails_is_cut_behind_its_last_line() {
    let Some(peer) = present(GrpcService::start().await) else { return };
    let (_server, address) = serve(&format!("url: \"{}\", reflection: true", peer.url())).await;
    let mut wire = Wire::connect(address).await.unwrap();
    wire.send("GET /v1/count/3?fails_at=3 HTTP/1.1\r\nhost: a.test\r\n\r\n").await.unwrap();
    let received = wire.read_to_end(SOON).await;
    let text = received.text();
    assert!(text.contains("{\"number\":\"2\"}\n") && text.contains("\"grpc_message\":\"lost at 3\"}}\n"), "{text}");
    assert!(received.closed && !text.ends_with("0\r\n\r\n"), "the end of the chunks is missing: {text}");
}
