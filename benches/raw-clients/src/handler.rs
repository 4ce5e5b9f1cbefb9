//! The least that publishes what comes in over HTTP: hyper's server, a broker's client, and nothing between them.

use std::{convert::Infallible, sync::Arc};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{Request, Response, StatusCode, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use crate::{Problem, Work, listen};

/// Serves until the process is ended; a request is one message, and is answered once that is acknowledged.
pub(crate) async fn serve(work: impl Work, port: u16) -> Result<(), Problem> {
    let (listener, work) = (listen(port).await?, Arc::new(work));
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        connection(stream, Arc::clone(&work));
    }
}

#[expect(clippy::disallowed_methods, reason = "there is no gateway here whose tasks these would be")]
fn connection(stream: TcpStream, work: Arc<impl Work>) {
    tokio::spawn(async move {
        let service = service_fn(|request| answer(&*work, request));
        if let Err(error) = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await {
            // Who goes away in the middle of a request, as generators do at their end.
            eprintln!("a connection ended: {error}");
        }
    });
}

async fn answer(work: &impl Work, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let done = async { work.send(request.into_body().collect().await?.to_bytes()).await };
    let (status, body) = match done.await {
        Ok(body) => (StatusCode::ACCEPTED, body),
        Err(problem) => {
            eprintln!("{problem}");
            (StatusCode::BAD_GATEWAY, Bytes::new())
        }
    };
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    Ok(response)
}
