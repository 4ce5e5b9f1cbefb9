//! Requests and answers of HTTP/2, as a client's library sees them.

use bytes::Bytes;
use h2::{
    Reason, RecvStream, SendStream,
    client::{ResponseFuture, SendRequest},
};
use http::{HeaderMap, Method, Request, Response, StatusCode};
use tokio::{net::TcpStream, task::JoinSet, time::timeout};

use crate::gate::{Gate, LARGE, SOON};

/// A client with a connection of its own.
struct Client {
    requests: SendRequest<Bytes>,
    _connection: JoinSet<()>,
}

/// An answer to its end.
struct Answered {
    head: Response<()>,
    body: Result<Vec<u8>, h2::Error>,
    trailers: Option<HeaderMap>,
}

impl Client {
    async fn connect(gate: &Gate) -> Self {
        let stream = TcpStream::connect(gate.address).await.unwrap();
        let (requests, connection) = h2::client::handshake(stream).await.unwrap();
        let mut running = JoinSet::new();
        running.spawn(async move { connection.await.unwrap_or_default() });
        Self { requests, _connection: running }
    }

    /// Begins a request. Its body follows unless it `is_whole`.
    async fn begin(&self, method: Method, path: &str, is_whole: bool) -> (ResponseFuture, SendStream<Bytes>) {
        let request = Request::builder().method(method).uri(format!("http://a{path}")).body(()).unwrap();
        let mut requests = self.requests.clone().ready().await.unwrap();
        requests.send_request(request, is_whole).unwrap()
    }

    async fn get(&self, path: &str) -> Answered {
        read(self.begin(Method::GET, path, true).await.0).await
    }
}

async fn read(response: ResponseFuture) -> Answered {
    let (head, mut stream) = timeout(SOON, response).await.expect("an answer comes").unwrap().into_parts();
    let body = timeout(SOON, collect(&mut stream)).await.expect("a body ends");
    let trailers = if body.is_ok() { stream.trailers().await.unwrap() } else { None };
    Answered { head: Response::from_parts(head, ()), body, trailers }
}

async fn collect(stream: &mut RecvStream) -> Result<Vec<u8>, h2::Error> {
    let mut body = Vec::new();
    while let Some(data) = stream.data().await {
        let data = data?;
        stream.flow_control().release_capacity(data.len()).unwrap();
        body.extend_from_slice(&data);
    }
    Ok(body)
}

fn length(answered: &Answered) -> Option<&str> {
    Some(answered.head.headers().get("content-length")?.to_str().unwrap())
}

#[tokio::test]
async fn a_body_with_trailers_is_read_as_it_comes() {
    let mut gate = Gate::start();
    let client = Client::connect(&gate).await;
    let (response, mut body) = client.begin(Method::POST, "/x", false).await;
    body.send_data("first,".into(), false).unwrap();
    body.send_data("second".into(), false).unwrap();
    body.send_trailers(HeaderMap::from_iter([(http::header::ETAG, "a".parse().unwrap())])).unwrap();
    assert_eq!(read(response).await.body.unwrap(), b"POST http://a/x 12");
    assert_eq!(gate.next().await, "POST http://a/x 12");
}

#[tokio::test]
async fn trailers_follow_a_body() {
    let gate = Gate::start();
    let answered = Client::connect(&gate).await.get("/trailers").await;
    assert_eq!((answered.body.as_deref().unwrap(), length(&answered)), (&b"hi"[..], None));
    assert_eq!(answered.trailers.unwrap()["x-sum"], "7");
}

#[tokio::test]
async fn an_answers_length_is_its_bodys() {
    let gate = Gate::start();
    let client = Client::connect(&gate).await;
    for (path, expected, body) in [
        ("/whole", Some("20"), &b"GET http://a/whole 0"[..]),
        ("/status?200", Some("5"), b"hello"),
        ("/status?404", Some("5"), b"hello"),
        ("/status?204", None, b""),
        ("/status?304", Some("5"), b""),
        ("/parts", None, b"first,second"),
        ("/stated?12", Some("12"), b"first,second"),
    ] {
        let answered = client.get(path).await;
        assert_eq!((length(&answered), answered.body.as_deref().unwrap()), (expected, body), "{path}");
        assert!(answered.head.headers().contains_key("date"), "{path}");
    }
}

#[tokio::test]
async fn a_head_alone_is_asked_for() {
    let gate = Gate::start();
    let client = Client::connect(&gate).await;
    let answered = read(client.begin(Method::HEAD, "/status?200", true).await.0).await;
    assert_eq!((length(&answered), answered.body.as_deref().unwrap()), (Some("5"), &b""[..]));
}

#[tokio::test]
async fn what_only_precedes_an_answer_is_none() {
    let gate = Gate::start();
    let client = Client::connect(&gate).await;
    for path in ["/status?101", "/status?103"] {
        assert_eq!(client.get(path).await.head.status(), StatusCode::INTERNAL_SERVER_ERROR, "{path}");
    }
}

#[tokio::test]
async fn a_body_that_breaks_is_reset_behind_what_came_of_it() {
    let gate = Gate::start();
    let client = Client::connect(&gate).await;
    let answered = client.get("/parts?breaks").await;
    assert_eq!(answered.head.status(), StatusCode::OK);
    assert_eq!(answered.body.unwrap_err().reason(), Some(Reason::INTERNAL_ERROR));
    assert_eq!(client.get("/parts").await.body.unwrap(), b"first,second", "other streams go on");
}

#[tokio::test]
async fn large_bodies_come_whole_beside_each_other() {
    let mut gate = Gate::start();
    let client = Client::connect(&gate).await;
    let (one, other) = tokio::join!(client.get("/large"), client.get("/large"));
    let (one, other) = (one.body.unwrap(), other.body.unwrap());
    assert_eq!((one.len(), other.len()), (LARGE - 65_536, LARGE - 65_536));
    assert!(one.iter().chain(&other).all(|byte| *byte == b'x'));
    assert_eq!(
        (gate.next().await, gate.next().await),
        ("the large body was sent".into(), "the large body was sent".into())
    );
}

#[tokio::test]
async fn a_reset_abandons_the_request() {
    let mut gate = Gate::start();
    let client = Client::connect(&gate).await;
    let (response, mut body) = client.begin(Method::GET, "/never", true).await;
    assert_eq!(gate.next().await, "GET http://a/never waits");
    body.send_reset(Reason::CANCEL);
    assert_eq!(gate.next().await, "abandoned");
    drop(response);
}

#[tokio::test]
async fn a_connection_that_goes_abandons_its_requests() {
    let mut gate = Gate::start();
    let client = Client::connect(&gate).await;
    let _response = client.begin(Method::GET, "/never", true).await;
    assert_eq!(gate.next().await, "GET http://a/never waits");
    drop(client);
    assert_eq!(gate.next().await, "abandoned");
}

#[tokio::test]
async fn a_reset_cuts_an_answers_body() {
    let mut gate = Gate::start();
    let client = Client::connect(&gate).await;
    let (response, mut body) = client.begin(Method::GET, "/large", true).await;
    let response = timeout(SOON, response).await.unwrap().unwrap();
    body.send_reset(Reason::CANCEL);
    assert_eq!(gate.next().await, "the large body was cut");
    drop(response);
}

#[tokio::test]
async fn a_body_is_read_on_behind_its_answer() {
    let mut gate = Gate::start();
    let client = Client::connect(&gate).await;
    let (response, mut body) = client.begin(Method::POST, "/detached", false).await;
    assert_eq!(read(response).await.body.unwrap(), b"accepted");
    body.send_data("first,".into(), false).unwrap();
    body.send_data("second".into(), true).unwrap();
    assert_eq!(gate.next().await, "POST http://a/detached 12 in its own task");
}

#[tokio::test]
async fn a_body_that_is_reset_does_not_pass_for_whole() {
    let mut gate = Gate::start();
    let client = Client::connect(&gate).await;
    for reason in [Reason::CANCEL, Reason::NO_ERROR, Reason::INTERNAL_ERROR] {
        let (response, mut body) = client.begin(Method::POST, "/detached", false).await;
        assert_eq!(read(response).await.body.unwrap(), b"accepted");
        body.send_data("first,".into(), false).unwrap();
        body.send_reset(reason);
        let seen = gate.next().await;
        assert!(seen.contains("broke"), "{reason}: {seen}");
    }
}

#[tokio::test]
async fn a_panic_ends_its_stream_alone() {
    let mut gate = Gate::start();
    let client = Client::connect(&gate).await;
    let (waits, _) = client.begin(Method::GET, "/wait", true).await;
    gate.next().await;
    let (broken, _) = client.begin(Method::GET, "/panic", true).await;
    assert!(timeout(SOON, broken).await.unwrap().unwrap_err().is_reset());
    gate.answers.gate.add_permits(1);
    assert_eq!(read(waits).await.body.unwrap(), b"GET http://a/wait 0");
    assert_eq!(client.get("/next").await.body.unwrap(), b"GET http://a/next 0");
}
