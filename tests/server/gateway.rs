//! The gateway behind the server: what it refuses itself is a problem document.

use std::{net::SocketAddr, num::NonZero};

use callgate::{
    core::{
        Gateway, Registry, Snapshot,
        document::{Document, System},
        plan::{Address, Plan},
    },
    server::{Limits, Readiness, Server},
};
use callgate_testkit::peers::{Received, Wire};
use tokio::runtime::Handle;

use crate::gate::{SOON, listener};

/// A gateway behind a server on a free port.
pub(crate) async fn serve(yaml: &str, registry: &Registry) -> (Server, SocketAddr) {
    let document = Document::parse("test.yaml", yaml, &System).unwrap_or_else(|report| panic!("{report}"));
    let plan = Plan::read(&document, registry).unwrap_or_else(|report| panic!("{report}"));
    let gateway = Gateway::new(Snapshot::load(plan, &Handle::current()).await.unwrap());
    let listeners = [listener("public", Address::Tcp("127.0.0.1:0".parse().unwrap()))];
    let readiness = Readiness::starting();
    let server = Server::start(&listeners, NonZero::new(1), &Limits::default(), &readiness, &gateway).unwrap();
    let Address::Tcp(address) = server.addresses()[0].address else { unreachable!() };
    (server, address)
}

async fn send(bytes: &str) -> Received {
    const DOCUMENT: &str = "upstreams: {e: {echo: {}}}\nroutes: [{match: '/{*rest}', to: e}, {match: GET /pong, respond: {status: 200, body: {text: ping}}}]";
    let (_server, address) = serve(DOCUMENT, &Registry::new()).await;
    let mut wire = Wire::connect(address).await.unwrap();
    wire.send(bytes).await.unwrap();
    wire.read_to_end(SOON).await
}

#[tokio::test]
async fn a_route_answers_over_the_socket() {
    let received = send("GET /pong HTTP/1.1\r\nhost: a.example\r\nconnection: close\r\n\r\n").await;
    assert!(received.closed && received.statuses() == [200], "{}", received.text());
    assert!(received.text().ends_with("ping"), "{}", received.text());
}

#[tokio::test]
async fn the_host_of_an_absolute_target_outweighs_the_header() {
    let received = send("GET http://shop.example/x HTTP/1.1\r\nhost: other.example\r\nconnection: close\r\n\r\n").await;
    let text = received.text();
    assert!(text.contains("shop.example") && !text.contains("other.example"), "{text}");
}

#[tokio::test]
async fn what_two_readers_could_read_differently_is_a_problem_document() {
    for (name, head, status, code) in [
        ("no host", "GET / HTTP/1.1\r\n", 400, "bad_request"),
        ("two hosts", "GET / HTTP/1.1\r\nhost: a\r\nhost: b\r\n", 400, "bad_request"),
        ("a host with a path", "GET / HTTP/1.1\r\nhost: a/b\r\n", 400, "bad_request"),
        ("two codings", "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: gzip, chunked\r\n", 400, "bad_request"),
        ("* with GET", "GET * HTTP/1.1\r\nhost: a\r\n", 400, "bad_request"),
        ("CONNECT", "CONNECT a:80 HTTP/1.1\r\nhost: a:80\r\n", 405, "method_not_allowed"),
        ("an invalid escape", "GET /%zz HTTP/1.1\r\nhost: a\r\n", 400, "bad_request"),
        ("* with OPTIONS", "OPTIONS * HTTP/1.1\r\nhost: a\r\n", 404, "no_route"),
    ] {
        let body = if head.starts_with("POST") { "0\r\n\r\n" } else { "" };
        let received = send(&format!("{head}connection: close\r\n\r\n{body}")).await;
        let text = received.text();
        assert!(received.closed, "{name}: the connection stays open: {text}");
        assert_eq!(received.statuses(), [status], "{name}: {text}");
        assert!(text.contains(&format!("callgate-error: {code}\r\n")), "{name}: {text}");
        assert!(text.contains("content-type: application/problem+json\r\n"), "{name}: {text}");
    }
}
