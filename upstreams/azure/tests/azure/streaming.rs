//! Bodies go on as they come, both ways.

use std::convert::Infallible;

use bytes::Bytes;
use callgate_core::Body;
use callgate_testkit::peers::http::Server;
use http::Request;
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    sync::mpsc,
    time::timeout,
};

use crate::bed::{Bed, LONG};

async fn bed(url: &str, function: &str) -> Bed {
    Bed::start(&format!(
        "upstreams:\n  fns: {{azure: {{url: \"{url}\", route_prefix: \"\", credentials: {{host_key: k}}}}}}\n\
         routes:\n  - {{match: /f, to: fns/{function}}}\n"
    ))
    .await
}

#[tokio::test]
async fn a_reply_arrives_piece_by_piece() {
    let server = Server::start().await.unwrap();
    let bed = bed(&server.url(), "steps").await;
    let mut body = bed.open(Request::get("/f?count=3").body(Body::empty()).unwrap()).await.into_body();
    for step in 0..3 {
        // The next piece is not made before the one before it has arrived.
        server.release(1);
        let frame = timeout(LONG, body.frame()).await.unwrap().unwrap().unwrap();
        assert_eq!(frame.into_data().unwrap(), format!("step {step}\n"));
    }
    assert!(timeout(LONG, body.frame()).await.unwrap().is_none());
}

#[tokio::test]
async fn a_request_arrives_piece_by_piece() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let bed = bed(&format!("http://{}", listener.local_addr().unwrap()), "upload").await;
    let (pieces, mut incoming) = mpsc::channel::<&'static str>(1);
    let stream = futures_util::stream::poll_fn(move |context| {
        incoming.poll_recv(context).map(|piece| piece.map(|piece| Ok::<_, Infallible>(Frame::data(Bytes::from(piece)))))
    });
    let call = bed.open(Request::post("/f").body(Body::new(StreamBody::new(stream))).unwrap());
    let function = async {
        let (mut connection, _) = listener.accept().await.unwrap();
        let mut seen = Vec::new();
        for piece in ["first", "second"] {
            pieces.send(piece).await.unwrap();
            // The second is not sent before the first has arrived.
            while !seen.ends_with(format!("{piece}\r\n").as_bytes()) {
                connection.read_buf(&mut seen).await.unwrap();
            }
        }
        drop(pieces);
        while !seen.ends_with(b"0\r\n\r\n") {
            connection.read_buf(&mut seen).await.unwrap();
        }
        connection.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await.unwrap();
        seen
    };
    let (reply, seen) = timeout(LONG, futures_util::future::join(call, function)).await.unwrap();
    assert_eq!(reply.status(), 200);
    let head = String::from_utf8(seen).unwrap();
    assert!(head.starts_with("POST /upload HTTP/1.1\r\n") && head.contains("x-functions-key: k\r\n"), "{head}");
}
