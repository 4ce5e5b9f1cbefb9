//! The admin over a real socket.

use callgate_core::{
    Registry, Secret, Snapshot,
    document::{Document, System},
    plan::Plan,
};
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::*;
use crate::log;

const DOCUMENT: &str = "upstreams: {e: {echo: {}}}\nroutes: [{name: pong, match: GET /pong, to: e}]";

struct Bed {
    readiness: Readiness,
    token: Option<Secret>,
}

impl Bed {
    fn new() -> Self {
        Self { readiness: Readiness::starting(), token: None }
    }

    /// What the admin answers to a request without a body: its head and its body.
    async fn ask(&self, line: &str, headers: &str) -> (String, String) {
        let document = Document::parse("test.yaml", DOCUMENT, &System).unwrap_or_else(|report| panic!("{report}"));
        let plan = Plan::read(&document, &Registry::new()).unwrap_or_else(|report| panic!("{report}"));
        let (log, _layer) = log::unstarted("info");
        let snapshot = Snapshot::load(plan, &Handle::current()).await.unwrap();
        let gateway = Gateway::new(snapshot);
        let shared = Shared {
            readiness: self.readiness.clone(),
            gateway: gateway.clone(),
            traffic: Traffic::default(),
            reloads: Reloads::of_nothing(gateway, self.token.clone()),
            log,
            looks: Looks::default(),
        };
        let admin = Admin::bind(&Address::Tcp("127.0.0.1:0".parse().unwrap()), &Inherited::default()).unwrap();
        let Address::Tcp(address) = *admin.address() else { unreachable!() };
        let _serving = admin.serve(shared).unwrap();
        let mut stream = TcpStream::connect(address).await.unwrap();
        let request = format!("{line} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n{headers}\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head.to_owned(), body.to_owned())
    }

    async fn get(&self, path: &str) -> (String, Value) {
        let (head, body) = self.ask(&format!("GET {path}"), "").await;
        (head, serde_json::from_str(&body).unwrap_or_else(|_| panic!("{body}")))
    }
}

#[tokio::test]
async fn says_why_it_is_not_ready() {
    let bed = Bed::new();
    let (head, body) = bed.get("/ready").await;
    assert!(head.starts_with("HTTP/1.1 503"), "{head}");
    assert_eq!((&body["ready"], &body["reason"]), (&json!(false), &json!("the gateway is starting")));
    let (head, _) = bed.get("/live").await;
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
}

#[tokio::test]
async fn shows_upstreams_beside_readiness_and_lets_nobody_cache_it() {
    let bed = Bed::new();
    bed.readiness.serves();
    let (head, body) = bed.get("/ready").await;
    assert!(head.starts_with("HTTP/1.1 200") && head.contains("cache-control: no-store"), "{head}");
    assert_eq!(body, json!({"ready": true, "upstreams": {"e": "ready"}}));
}

#[tokio::test]
async fn shows_routes_upstreams_and_the_configuration() {
    let bed = Bed::new();
    let (_, routes) = bed.get("/routes").await;
    assert_eq!((&routes[0]["name"], &routes[0]["host"]), (&json!("pong"), &json!("any")));
    let (head, text) = bed.ask("GET /routes?format=text", "").await;
    assert!(head.contains("text/plain") && text.starts_with("any  GET /pong  -> e  pong"), "{head}\n{text}");
    let (_, config) = bed.get("/config").await;
    assert!(config["routes"].is_array() && config["listeners"].is_object(), "{config}");
    let (_, upstreams) = bed.get("/upstreams").await;
    assert_eq!(upstreams, json!([{"name": "e", "kind": "echo", "ready": true}]));
    assert_eq!(bed.get("/triggers").await.1, json!([]));
}

#[tokio::test]
async fn an_unknown_path_or_option_is_answered_with_those_that_there_are() {
    let bed = Bed::new();
    let (head, body) = bed.get("/metric").await;
    assert!(head.starts_with("HTTP/1.1 404") && body["endpoints"]["GET /metrics"].is_string(), "{head}\n{body}");
    let (head, body) = bed.get("/routes?from=1").await;
    assert!(head.starts_with("HTTP/1.1 400"), "{head}");
    assert_eq!(body["error"], "this endpoint has no option `from`; it has format");
    let (head, body) = bed.get("/routes?format=xml").await;
    assert!(head.starts_with("HTTP/1.1 400"), "{head}");
    assert_eq!(body["error"], "`format` is one of json, text, and not `xml`");
    let (head, _) = bed.ask("POST /routes", "content-length: 0\r\n").await;
    assert!(head.starts_with("HTTP/1.1 405"), "{head}");
}

#[tokio::test]
async fn the_token_is_demanded_of_all_but_probes() {
    let mut bed = Bed::new();
    bed.token = Some(Secret::new("open-sesame"));
    bed.readiness.serves();
    for path in ["/live", "/ready"] {
        assert!(bed.ask(&format!("GET {path}"), "").await.0.starts_with("HTTP/1.1 200"), "{path}");
    }
    for path in ["/metrics", "/config", "/log", "/nothing"] {
        let (head, body) = bed.ask(&format!("GET {path}"), "").await;
        assert!(head.starts_with("HTTP/1.1 401") && head.contains("www-authenticate: Bearer"), "{path}: {head}");
        assert!(!body.contains("sesame"), "{body}");
        let (head, _) = bed.ask(&format!("GET {path}"), "authorization: Bearer open-sesam\r\n").await;
        assert!(head.starts_with("HTTP/1.1 401"), "{path}: {head}");
    }
    let (head, _) = bed.ask("GET /metrics", "authorization: Bearer open-sesame\r\n").await;
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
}

#[tokio::test]
async fn a_page_of_another_site_changes_nothing() {
    let bed = Bed::new();
    let (head, _) = bed.ask("PUT /log?level=debug", "content-length: 0\r\norigin: http://evil.test\r\n").await;
    assert!(head.starts_with("HTTP/1.1 403"), "{head}");
    let (head, body) = bed.ask("PUT /log?level=debug", "content-length: 0\r\n").await;
    assert!(head.starts_with("HTTP/1.1 200") && body.contains("\"filter\":\"debug\""), "{head}\n{body}");
    let (head, _) = bed.ask("PUT /log?level=loud", "content-length: 0\r\n").await;
    assert!(head.starts_with("HTTP/1.1 400"), "{head}");
}
