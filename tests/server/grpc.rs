//! gRPC over the server's own socket: a client and a service of another library, and the gateway between them.

use std::{net::SocketAddr, num::NonZero};

use callgate::{
    core::{
        Gateway, Snapshot,
        document::{Document, System},
        plan::{Address, Plan},
    },
    server::{Limits, Readiness, Server},
};
use callgate_testkit::peers::{GrpcClient, GrpcService, Wire, present};
use serde_json::json;
use tokio::runtime::Handle;

use crate::gate::{SOON, listener};

async fn serve(upstream: &str) -> (Server, SocketAddr) {
    let yaml = format!(
        "upstreams: {{shop: {{grpc: {{{upstream}}}}}}}\nroutes: [{{match: '/{{*rest}}', to: {{upstream: shop}}}}]"
    );
    let document = Document::parse("test.yaml", &yaml, &System).unwrap_or_else(|report| panic!("{report}"));
    let plan = Plan::read(&document, &callgate::registry()).unwrap_or_else(|report| panic!("{report}"));
    let gateway = Gateway::new(Snapshot::load(plan, &Handle::current()).await.unwrap());
    let listeners = [listener("public", Address::Tcp("127.0.0.1:0".parse().unwrap()))];
    let server =
        Server::start(&listeners, NonZero::new(1), &Limits::default(), &Readiness::starting(), &gateway).unwrap();
    let Address::Tcp(address) = server.addresses()[0].address else { unreachable!() };
    (server, address)
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
