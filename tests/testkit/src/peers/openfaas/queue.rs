use std::{io, sync::Arc, time::Instant};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Request, header, request::Parts};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::{net::TcpStream, task::JoinSet};

use super::{
    State,
    gateway::{CALL_ID, Called, DURATION, START_TIME, call},
    reply::full,
};

const CALLBACK_URL: HeaderName = HeaderName::from_static("x-callback-url");
const FUNCTION_NAME: HeaderName = HeaderName::from_static("x-function-name");
const FUNCTION_STATUS: HeaderName = HeaderName::from_static("x-function-status");

/// Calls the function and sends its reply to the callback, if the call has one.
pub(super) async fn work(called: Called, head: Parts, body: Bytes, state: Arc<State>) {
    let callback = head.headers.get(CALLBACK_URL).and_then(|url| url.to_str().ok()).map(str::to_owned);
    let kept: HeaderMap = [CALL_ID, START_TIME]
        .into_iter()
        .filter_map(|name| Some((name.clone(), head.headers.get(&name)?.clone())))
        .collect();
    let started = Instant::now();
    let reply = call(&called, Request::from_parts(head, full(body)), &state).await;
    let Some(callback) = callback else { return };
    let (head, body) = reply.into_parts();
    let Ok(body) = body.collect().await else { return };
    let mut headers = head.headers;
    for name in [header::CONTENT_LENGTH, header::TRANSFER_ENCODING, header::CONNECTION] {
        headers.remove(name);
    }
    headers.extend(kept);
    let taken = format!("{:.6}", started.elapsed().as_secs_f64());
    for (name, value) in
        [(FUNCTION_NAME, called.name), (FUNCTION_STATUS, head.status.as_u16().to_string()), (DURATION, taken)]
    {
        headers.extend(HeaderValue::try_from(value).ok().map(|value| (name, value)));
    }
    headers.insert(header::USER_AGENT, HeaderValue::from_static("Go-http-client/1.1"));
    // Nobody is told of a callback that can't be sent, as with the real one.
    post(&callback, headers, body.to_bytes()).await.ok();
}

async fn post(url: &str, headers: HeaderMap, body: Bytes) -> io::Result<()> {
    let uri: http::Uri = url.parse().map_err(io::Error::other)?;
    let authority = uri.authority().ok_or_else(|| io::Error::other("the URL names no host"))?.as_str().to_owned();
    let stream = TcpStream::connect(&authority).await?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(io::Error::other)?;
    let mut driver = JoinSet::new();
    driver.spawn(connection);
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    let mut request = Request::post(path).body(Full::new(body)).map_err(io::Error::other)?;
    *request.headers_mut() = headers;
    request.headers_mut().insert(header::HOST, HeaderValue::try_from(authority).map_err(io::Error::other)?);
    let reply = sender.send_request(request).await.map_err(io::Error::other)?;
    reply.into_body().collect().await.map_err(io::Error::other)?;
    Ok(())
}
