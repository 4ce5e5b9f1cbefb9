//! An HTTP/1.1 and HTTP/2 server whose answers a test can predict and steer, and the smallest client.

mod exchange;
mod routes;
mod server;
mod upgrade;

use std::io;

use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpStream, task::JoinSet};

pub use server::Server;

/// Asks for a URL of the form `http://host:port/path` and answers the status; for health checks only.
///
/// # Errors
/// When it cannot connect, or is not answered with HTTP.
pub async fn get(url: &str) -> io::Result<u16> {
    let uri: http::Uri = url.parse().map_err(io::Error::other)?;
    let authority = uri.authority().ok_or_else(|| io::Error::other("the URL names no host"))?.as_str().to_owned();
    let stream = TcpStream::connect(&authority).await?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(io::Error::other)?;
    let mut driver = JoinSet::new();
    driver.spawn(connection);
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    let request = http::Request::get(path)
        .header(http::header::HOST, authority)
        .body(Empty::<Bytes>::new())
        .map_err(io::Error::other)?;
    let response = sender.send_request(request).await.map_err(io::Error::other)?;
    let status = response.status().as_u16();
    response.into_body().collect().await.map_err(io::Error::other)?;
    Ok(status)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{super::Received, super::Wire, super::until, *};

    const LIMIT: Duration = Duration::from_secs(30);

    async fn exchange(server: &Server, request: &str) -> Received {
        let mut wire = Wire::connect(server.address()).await.unwrap();
        wire.send(request).await.unwrap();
        wire.read_to_end(LIMIT).await
    }

    async fn get_closing(server: &Server, path: &str) -> Received {
        exchange(server, &format!("GET {path} HTTP/1.1\r\nhost: a\r\nte: trailers\r\nconnection: close\r\n\r\n")).await
    }

    fn body(received: &Received) -> Vec<u8> {
        let head = received.bytes.windows(4).position(|bytes| bytes == b"\r\n\r\n").unwrap();
        received.bytes[head + 4..].to_vec()
    }

    #[tokio::test]
    async fn echo_describes_what_came_in_the_order_it_came() {
        let server = Server::start().await.unwrap();
        let request = "PATCH /echo/a%2Fb?x=1&x=2&y HTTP/1.1\r\nhost: a\r\nx-m: one\r\nx-m: two\r\n\
            content-length: 3\r\nconnection: close\r\n\r\n\u{0}\u{1}a";
        let received = exchange(&server, request).await;
        let echo: serde_json::Value = serde_json::from_slice(&body(&received)).unwrap();
        assert_eq!(
            (echo["method"].as_str(), echo["path"].as_str(), echo["query"].as_str()),
            (Some("PATCH"), Some("/echo/a%2Fb"), Some("x=1&x=2&y"))
        );
        let multi: Vec<_> = echo["headers"].as_array().unwrap().iter().filter(|pair| pair[0] == "x-m").collect();
        assert_eq!(multi, [&serde_json::json!(["x-m", "one"]), &serde_json::json!(["x-m", "two"])]);
        assert_eq!(echo["body"], serde_json::json!({"base64": "AAFh", "length": 3}));
    }

    #[tokio::test]
    async fn statuses_and_bodies_are_those_asked_for() {
        let server = Server::start().await.unwrap();
        assert_eq!(get_closing(&server, "/status/503").await.status(), Some(503));
        assert_eq!(get_closing(&server, "/status/204").await.status(), Some(204));
        assert_eq!(get_closing(&server, "/status/100").await.status(), Some(400));
        assert_eq!(body(&get_closing(&server, "/large?bytes=100001").await).len(), 100_001);
        assert_eq!(body(&get_closing(&server, "/binary").await), (0..=255).collect::<Vec<u8>>());
        assert!(get_closing(&server, "/trailers").await.text().ends_with("0\r\nx-checksum: abc\r\n\r\n"));
        assert_eq!(get_closing(&server, "/multi").await.text().matches("set-cookie").count(), 2);
        assert_eq!(server.requests(), server.accepted());
    }

    #[tokio::test]
    async fn a_broken_body_ends_the_connection_early() {
        let server = Server::start().await.unwrap();
        let received = get_closing(&server, "/broken?bytes=1000").await;
        assert!(received.closed && received.text().contains("content-length: 1001"));
        assert!(body(&received).len() <= 1000);
    }

    #[tokio::test]
    async fn steps_wait_for_their_release() {
        let server = Server::start().await.unwrap();
        let mut wire = Wire::connect(server.address()).await.unwrap();
        wire.send("GET /steps?count=2 HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
        let contains = |bytes: &[u8], text: &str| String::from_utf8_lossy(bytes).contains(text);
        server.release(1);
        let first = wire.read_until(LIMIT, |bytes| contains(bytes, "step 0")).await;
        assert!(!first.text().contains("step 1"));
        server.release(1);
        let second = wire.read_until(LIMIT, |bytes| contains(bytes, "0\r\n\r\n")).await;
        assert!(second.text().contains("step 1"));
    }

    #[tokio::test]
    async fn an_upgraded_connection_gives_bytes_back() {
        let server = Server::start().await.unwrap();
        let mut wire = Wire::connect(server.address()).await.unwrap();
        let request = "GET /upgrade HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\n";
        wire.send(request).await.unwrap();
        let head = wire.read_until(LIMIT, |bytes| bytes.ends_with(b"\r\n\r\n")).await;
        assert_eq!(head.status(), Some(101));
        wire.send("any bytes").await.unwrap();
        wire.finish().await.unwrap();
        assert_eq!(wire.read_to_end(LIMIT).await, Received { bytes: b"any bytes".to_vec(), closed: true });
    }

    #[tokio::test]
    async fn only_a_route_that_reads_the_body_asks_for_it() {
        let server = Server::start().await.unwrap();
        let head = "HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\ncontent-length: 2\r\nconnection: close\r\n\r\n";
        assert_eq!(exchange(&server, &format!("POST /reject {head}")).await.statuses(), [413]);
        let mut wire = Wire::connect(server.address()).await.unwrap();
        wire.send(format!("POST /echo {head}")).await.unwrap();
        assert_eq!(wire.read_until(LIMIT, |bytes| bytes.ends_with(b"\r\n\r\n")).await.statuses(), [100]);
        wire.send("ab").await.unwrap();
        assert_eq!(wire.read_to_end(LIMIT).await.statuses(), [200]);
    }

    #[tokio::test]
    async fn a_client_that_leaves_is_counted() {
        let server = Server::start().await.unwrap();
        let mut wire = Wire::connect(server.address()).await.unwrap();
        wire.send("GET /hang HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
        assert!(until(LIMIT, async || server.running() == 1).await);
        drop(wire);
        assert!(until(LIMIT, async || server.abandoned() == 1 && server.open() == 0).await);
        assert_eq!(server.running(), 0);
    }

    #[tokio::test]
    async fn a_stopped_server_refuses_and_another_takes_its_place() {
        let server = Server::start().await.unwrap();
        let address = server.address();
        let mut open = Wire::connect(address).await.unwrap();
        open.send("GET /hang HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
        assert!(until(LIMIT, async || server.running() == 1).await);
        server.stop().await;
        assert!(open.read_to_end(LIMIT).await.closed);
        assert!(Wire::connect(address).await.is_err());
        let next = Server::start_at(address).await.unwrap();
        assert_eq!(get_closing(&next, "/status/200").await.status(), Some(200));
    }

    #[tokio::test]
    async fn the_client_tells_the_status() {
        let server = Server::start().await.unwrap();
        assert_eq!(get(&format!("{}/status/418", server.url())).await.unwrap(), 418);
    }
}
