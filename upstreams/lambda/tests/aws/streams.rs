//! Many streams at once: what the gateway holds of them.

use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use bytes::Bytes;
use callgate_core::Body;
use futures_util::{future::join_all, stream};
use http::{Request, Response};
use http_body_util::{BodyExt, StreamBody};
use hyper::{
    body::{Frame, Incoming},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use serde_json::json;
use tokio::{net::TcpListener, task::JoinSet};

use crate::{gateway::Bed, wire::message};

const STREAMS: usize = 200;
const CHUNK: usize = 32 * 1024;
/// The chunks of one stream: 4 MB.
const CHUNKS: usize = 128;

/// A service that streams as fast as it is read.
async fn service(written: Arc<AtomicU64>) -> (String, JoinSet<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let mut task = JoinSet::new();
    let first = Bytes::from(message("PayloadChunk", b"{\"statusCode\":200}\0\0\0\0\0\0\0\0"));
    let chunk = Bytes::from(message("PayloadChunk", &[b'x'; CHUNK]));
    let last = Bytes::from(message("InvokeComplete", b"{}"));
    task.spawn(async move {
        let mut connections = JoinSet::new();
        while let Ok((stream, _)) = listener.accept().await {
            let (first, chunk, last, written) = (first.clone(), chunk.clone(), last.clone(), Arc::clone(&written));
            let service = service_fn(move |request: Request<Incoming>| {
                let (first, chunk, last, written) = (first.clone(), chunk.clone(), last.clone(), Arc::clone(&written));
                async move {
                    request.into_body().collect().await.ok();
                    let frames = stream::iter(0..CHUNKS + 2);
                    let frames = futures_util::StreamExt::map(frames, move |number| {
                        written.fetch_add(CHUNK as u64, Ordering::Relaxed);
                        let bytes = match number {
                            0 => first.clone(),
                            number if number <= CHUNKS => chunk.clone(),
                            _ => last.clone(),
                        };
                        Ok::<_, Infallible>(Frame::data(bytes))
                    });
                    Ok::<_, Infallible>(Response::new(StreamBody::new(frames)))
                }
            });
            connections
                .spawn(async move { http1::Builder::new().serve_connection(TokioIo::new(stream), service).await.ok() });
        }
    });
    (endpoint, task)
}

/// The resident memory of this process in bytes.
fn resident() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    statm.split(' ').nth(1).unwrap().parse::<u64>().unwrap() * 4096
}

/// Reads so many bytes.
async fn read(body: &mut Body, bytes: usize) -> usize {
    let mut seen = 0;
    while seen < bytes
        && let Some(frame) = body.frame().await
    {
        seen += frame.unwrap().into_data().unwrap().len();
    }
    seen
}

/// Two hundred streams of four megabytes whose clients read slowly: a gateway that reads ahead of them would hold most of
/// the 800 MB.
#[tokio::test(flavor = "multi_thread")]
async fn memory_stays_flat_however_much_is_streamed() {
    const MEGABYTE: u64 = 1 << 20;
    let written = Arc::new(AtomicU64::new(0));
    let (endpoint, _service) = service(Arc::clone(&written)).await;
    let lambda = json!({
        "region": "eu-west-1",
        "endpoint": endpoint,
        "credentials": {"access_key_id": "AKIDEXAMPLE", "secret_access_key": "secret"},
    });
    let route = "{match: /, to: {upstream: aws, function: f, stream: true}}";
    let bed = Bed::start(&format!("upstreams: {{aws: {{lambda: {lambda}}}}}\nroutes: [{route}]")).await;
    let before = resident();
    let open = || async { bed.open(Request::get("/").body(Body::empty()).unwrap()).await.into_body() };
    let mut bodies = join_all((0..STREAMS).map(|_| open())).await;
    let mut most = 0;
    for _ in 0..8 {
        let seen = join_all(bodies.iter_mut().map(|body| read(body, 2 * CHUNK))).await;
        assert!(seen.iter().all(|seen| *seen >= 2 * CHUNK), "{seen:?}");
        most = most.max(resident().saturating_sub(before));
    }
    assert!(most < 160 * MEGABYTE, "{} MB are held", most / MEGABYTE);
    let rest = read(&mut bodies[0], usize::MAX).await;
    assert!(rest < CHUNKS * CHUNK, "the streams were still under way");
}
