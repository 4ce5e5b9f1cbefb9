//! Connections that leave HTTP.

use std::{
    io::{Read, Write},
    net::{Shutdown, SocketAddr, TcpStream},
    sync::Arc,
    thread,
};

use bytes::Bytes;
use callgate_core::{Body, OnUpgrade, Upgraded};
use callgate_http::{Endpoint, HttpClient, WhileUpgraded};
use http::Response;
use hyper::{body::Incoming, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

use crate::peer::{LONG, Raw, client, soon};

/// Takes one connection and passes its requests on, as a gateway does. What is given is kept while it is upgraded.
async fn front(listener: TcpListener, client: HttpClient, endpoint: Endpoint, kept: Option<WhileUpgraded>) {
    let (stream, _) = listener.accept().await.unwrap();
    let service = service_fn(move |mut request: http::Request<Incoming>| {
        let (client, endpoint) = (client.clone(), endpoint.clone());
        let (server, asked) = OnUpgrade::pair();
        let upgrade = hyper::upgrade::on(&mut request);
        tokio::runtime::Handle::current().spawn(async move {
            if let Ok(upgraded) = upgrade.await {
                drop(server.send(Upgraded::new(Bytes::new(), TokioIo::new(upgraded))));
            }
        });
        request.extensions_mut().insert(asked);
        if let Some(kept) = kept.clone() {
            request.extensions_mut().insert(kept);
        }
        async move {
            Ok::<_, std::convert::Infallible>(match client.send(&endpoint, request.map(Body::new)).await {
                Ok(reply) => reply,
                Err(error) => Response::builder().status(502).body(Body::from(error.to_string())).unwrap(),
            })
        }
    });
    let connection = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    connection.with_upgrades().await.unwrap();
}

/// Runs a script as the gateway's client.
async fn through_a_front<T: Send + 'static>(server: &Raw, script: impl FnOnce(TcpStream) -> T + Send + 'static) -> T {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address: SocketAddr = listener.local_addr().unwrap();
    let (done, result) = tokio::sync::oneshot::channel();
    thread::spawn(move || {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(LONG)).unwrap();
        let _ = done.send(script(stream));
    });
    let client = client();
    soon(front(listener, client.clone(), server.endpoint.clone(), None)).await;
    soon(result).await.unwrap()
}

fn read_head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
    String::from_utf8(head).unwrap()
}

const ASK: &str = "GET /chat HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: shout\r\n\r\n";

#[tokio::test]
async fn an_accepted_upgrade_joins_both_sides_and_keeps_half_closes() {
    let server = Raw::start(|_, mut peer| {
        let head = peer.head().unwrap();
        assert!(head.contains("upgrade: shout\r\n"), "{head}");
        // What comes right behind the head belongs to the new protocol.
        peer.send("HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: shout\r\n\r\nwelcome");
        // The client ends first and still gets its answer.
        let said = peer.read_to_end();
        peer.send(said.to_ascii_uppercase());
        peer.shutdown_write();
    });
    let (head, heard) = through_a_front(&server, |mut stream| {
        stream.write_all(ASK.as_bytes()).unwrap();
        let head = read_head(&mut stream);
        stream.write_all(b"hello").unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        let mut heard = String::new();
        stream.read_to_string(&mut heard).unwrap();
        (head, heard)
    })
    .await;
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
    assert!(head.contains("upgrade: shout\r\n"), "{head}");
    assert_eq!(heard, "welcomeHELLO");
}

#[tokio::test]
async fn a_refused_upgrade_is_a_reply_like_any_other() {
    let server = Raw::replying("HTTP/1.1 403 Forbidden\r\ncontent-length: 2\r\n\r\nno");
    let (first, second) = through_a_front(&server, |mut stream| {
        let mut heads = Vec::new();
        for _ in 0..2 {
            stream.write_all(ASK.as_bytes()).unwrap();
            heads.push(read_head(&mut stream));
            let mut body = [0; 2];
            stream.read_exact(&mut body).unwrap();
        }
        (heads.remove(0), heads.remove(0))
    })
    .await;
    assert!(first.starts_with("HTTP/1.1 403 ") && second.starts_with("HTTP/1.1 403 "));
    assert_eq!(server.accepted(), 1);
}

/// Tells when it is dropped.
struct Told(tokio::sync::mpsc::UnboundedSender<()>);

impl Drop for Told {
    fn drop(&mut self) {
        let _ = self.0.send(());
    }
}

#[tokio::test]
async fn what_counts_an_upgraded_connection_is_kept_until_its_end() {
    let server = Raw::start(|_, mut peer| {
        let head = peer.head().unwrap();
        if head.starts_with("GET /refused ") {
            peer.send("HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n");
            return;
        }
        peer.send("HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: shout\r\n\r\n");
        let said = peer.read(5);
        peer.send(said);
        peer.read_to_end();
    });
    for path in ["/chat", "/refused"] {
        let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
        let kept = Arc::new(Told(tell));
        let held = Arc::downgrade(&kept);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (heard, hears) = tokio::sync::oneshot::channel();
        let (leave, left) = std::sync::mpsc::channel::<()>();
        thread::spawn(move || {
            let mut stream = TcpStream::connect(address).unwrap();
            stream.set_read_timeout(Some(LONG)).unwrap();
            stream.write_all(ASK.replace("/chat", path).as_bytes()).unwrap();
            read_head(&mut stream);
            if path == "/chat" {
                stream.write_all(b"hello").unwrap();
                stream.read_exact(&mut [0; 5]).unwrap();
            }
            heard.send(()).unwrap();
            // Until the test has looked, the connection stays open.
            let _ = left.recv_timeout(LONG);
        });
        let front = front(listener, client(), server.endpoint.clone(), Some(WhileUpgraded::new(kept)));
        let looks = async {
            hears.await.unwrap();
            if path == "/chat" {
                assert!(held.upgrade().is_some(), "the connection is upgraded still");
            }
            drop(leave);
        };
        soon(futures_util::future::join(front, looks)).await;
        assert_eq!(soon(told.recv()).await, Some(()));
    }
}
