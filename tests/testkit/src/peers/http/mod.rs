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
