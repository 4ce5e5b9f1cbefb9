//! What is kept and given again, through a function that counts its calls.

use std::sync::{
    Mutex,
    atomic::{AtomicUsize, Ordering},
};

use futures_util::future::join_all;
use http_body_util::StreamBody;
use tokio::sync::Notify;

use super::*;
use crate::{
    body::{Body, BodyError},
    edge,
    gateway::context,
    invocation::RouteInfo,
    policy::PolicySettings,
    request_id::RequestId,
    routing::Captures,
};

type Reply = dyn Fn(usize, &Request<Body>) -> Response + Send + Sync;

/// Replies as it is told, and counts.
struct Function {
    calls: AtomicUsize,
    seen: Mutex<Vec<http::HeaderMap>>,
    reply: Box<Reply>,
    gate: Option<Arc<Notify>>,
}

impl Stack for Arc<Function> {
    fn call(&self, invocation: Invocation) -> BoxFuture<'static, Result<Response, Failure>> {
        let function = Self::clone(self);
        Box::pin(async move {
            if let Some(gate) = &function.gate {
                gate.notified().await;
            }
            function.seen.lock().unwrap().push(invocation.request.headers().clone());
            let number = function.calls.fetch_add(1, Ordering::SeqCst);
            Ok((function.reply)(number, &invocation.request))
        })
    }
}

struct Stage {
    function: Arc<Function>,
    cached: Cached,
}

impl Stage {
    fn new(settings: &str, reply: impl Fn(usize, &Request<Body>) -> Response + Send + Sync + 'static) -> Self {
        Self::gated(settings, None, reply)
    }

    fn gated(
        settings: &str,
        gate: Option<Arc<Notify>>,
        reply: impl Fn(usize, &Request<Body>) -> Response + Send + Sync + 'static,
    ) -> Self {
        let settings: CacheSettings = serde_json::from_str(settings).unwrap();
        let (calls, seen) = (AtomicUsize::new(0), Mutex::default());
        let function = Arc::new(Function { calls, seen, reply: Box::new(reply), gate });
        let inner: Arc<dyn Stack> = Arc::new(Arc::clone(&function));
        Self { function, cached: Cached { inner, cache: Arc::new(Replies::new(settings.resolve().unwrap())) } }
    }

    async fn send(&self, request: Request<Body>) -> Response {
        self.cached.call(invocation(request)).await.unwrap()
    }

    async fn get(&self, headers: &[(&str, &str)]) -> Response {
        self.send(request("GET", headers)).await
    }

    fn calls(&self) -> usize {
        self.function.calls.load(Ordering::SeqCst)
    }
}

fn request(method: &str, headers: &[(&str, &str)]) -> Request<Body> {
    let mut request = Request::builder().method(method).uri("/a?b=c");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(Body::empty()).unwrap()
}

fn invocation(request: Request<Body>) -> Invocation {
    let route = Arc::new(RouteInfo { name: "r".into(), path: "/a".into(), tail: None });
    let (head, body) = request.into_parts();
    let origin = edge::origin(&head, &edge::Connection::new("test".into(), None, false, Arc::from([])));
    let request = Request::from_parts(head, body);
    let policies = PolicySettings::default().resolve();
    let id = RequestId::random();
    let context = context(&route, &policies, origin, id.into(), request.uri(), Captures::default());
    Invocation { request, context: Arc::new(context) }
}

fn reply(headers: &[(&str, &str)], body: impl Into<Body>) -> Response {
    let mut reply = Response::new(body.into());
    for (name, value) in headers {
        let name = http::HeaderName::try_from(*name).unwrap();
        reply.headers_mut().append(name, HeaderValue::try_from(*value).unwrap());
    }
    reply
}

fn status(reply: &Response) -> &str {
    reply.headers()["cache-status"].to_str().unwrap()
}

async fn text(reply: Response) -> String {
    String::from_utf8(reply.into_body().collect(1 << 20).await.unwrap().to_vec()).unwrap()
}

#[tokio::test]
async fn a_fresh_reply_is_given_again() {
    let stage = Stage::new("true", |number, _| reply(&[("cache-control", "max-age=60")], format!("n{number}")));
    let first = stage.get(&[]).await;
    assert_eq!(status(&first), "callgate; fwd=miss");
    assert_eq!(text(first).await, "n0");
    let second = stage.get(&[]).await;
    assert_eq!((status(&second), &second.headers()["age"]), ("callgate; hit", &HeaderValue::from_static("0")));
    assert_eq!(text(second).await, "n0");
    let head = stage.send(request("HEAD", &[])).await;
    assert_eq!(status(&head), "callgate; hit");
    assert_eq!(stage.calls(), 1);
}

#[tokio::test]
async fn what_is_not_for_all_is_not_kept() {
    for (said, asked) in [
        (vec![], vec![]),
        (vec![("cache-control", "private, max-age=60")], vec![]),
        (vec![("cache-control", "no-store")], vec![]),
        (vec![("cache-control", "max-age=60"), ("set-cookie", "a=1")], vec![]),
        (vec![("cache-control", "max-age=60"), ("vary", "*")], vec![]),
        (vec![("cache-control", "max-age=60")], vec![("authorization", "Bearer x")]),
        (vec![("cache-control", "max-age=60")], vec![("range", "bytes=0-1")]),
    ] {
        let told = said.clone();
        let stage = Stage::new("true", move |_, _| reply(&told, "text"));
        for _ in 0..2 {
            assert_eq!(text(stage.get(&asked).await).await, "text");
        }
        assert_eq!(stage.calls(), 2, "{said:?} {asked:?}");
    }
}

#[tokio::test]
async fn what_clients_get_by_their_credentials_is_for_all_only_if_it_says_so() {
    for (said, calls) in
        [("max-age=60", 2), ("public, max-age=60", 1), ("s-maxage=60", 1), ("max-age=60, must-revalidate", 1)]
    {
        let stage = Stage::new("true", move |_, _| reply(&[("cache-control", said)], "text"));
        for _ in 0..2 {
            let mut invocation = invocation(request("GET", &[]));
            Arc::make_mut(&mut invocation.context).authenticated = true;
            stage.cached.call(invocation).await.unwrap();
        }
        assert_eq!(stage.calls(), calls, "{said}");
    }
}

#[tokio::test]
async fn the_ttl_is_for_replies_that_say_nothing_and_for_the_gateway_alone() {
    let stage = Stage::new(r#"{"ttl": "60s"}"#, |_, _| reply(&[], "text"));
    for _ in 0..2 {
        assert!(!stage.get(&[]).await.headers().contains_key("cache-control"));
    }
    assert_eq!(stage.calls(), 1);
    let stage = Stage::new(r#"{"ttl": "60s"}"#, |_, _| reply(&[("cache-control", "no-cache")], "text"));
    stage.get(&[]).await;
    stage.get(&[]).await;
    assert_eq!(stage.calls(), 2);
}

#[tokio::test]
async fn the_ttl_does_not_make_what_one_client_gets_a_reply_for_all() {
    for (name, users) in [("authorization", ["Bearer ann", "Bearer bob"]), ("cookie", ["session=ann", "session=bob"])] {
        let stage = Stage::new(r#"{"ttl": "60s"}"#, move |_, request| {
            let user = request.headers().get(name).map_or("nobody", |user| user.to_str().unwrap());
            reply(&[], user.to_owned())
        });
        for user in users {
            assert_eq!(text(stage.get(&[(name, user)]).await).await, user);
        }
        assert_eq!(stage.calls(), 2, "{name}");
        // Who brings none still shares, and who brings some does not get what is shared.
        for _ in 0..2 {
            assert_eq!(text(stage.get(&[]).await).await, "nobody");
        }
        assert_eq!(stage.calls(), 3, "{name}");
        assert_eq!(text(stage.get(&[(name, users[0])]).await).await, users[0]);
    }
    // Let in by the gateway, with whatever credentials.
    let stage = Stage::new(r#"{"ttl": "60s"}"#, |_, _| reply(&[], "text"));
    for _ in 0..2 {
        let mut invocation = invocation(request("GET", &[("x-api-key", "k")]));
        Arc::make_mut(&mut invocation.context).authenticated = true;
        stage.cached.call(invocation).await.unwrap();
    }
    assert_eq!(stage.calls(), 2);
    let stage = Stage::new(r#"{"ttl": "60s"}"#, |_, _| reply(&[("set-cookie", "a=1")], "text"));
    for _ in 0..2 {
        stage.get(&[]).await;
    }
    assert_eq!(stage.calls(), 2);
}

#[tokio::test]
async fn variants_are_kept_apart() {
    let stage = Stage::new("true", |_, request| {
        let language = request.headers()["accept-language"].to_str().unwrap().to_owned();
        reply(&[("cache-control", "max-age=60"), ("vary", "accept-language")], language)
    });
    for _ in 0..2 {
        for language in ["de", "fr"] {
            assert_eq!(text(stage.get(&[("accept-language", language)]).await).await, language);
        }
    }
    assert_eq!(stage.calls(), 2);
}

#[tokio::test]
async fn a_stale_reply_is_asked_for_and_renewed() {
    let stage = Stage::new("true", |_, request| match request.headers().get("if-none-match") {
        None => reply(&[("cache-control", "max-age=0"), ("etag", "\"1\"")], "text"),
        Some(_) => {
            let mut renewed = reply(&[("cache-control", "max-age=60"), ("etag", "\"1\"")], Body::empty());
            *renewed.status_mut() = StatusCode::NOT_MODIFIED;
            renewed
        }
    });
    for calls in [1, 2, 2] {
        let answer = stage.get(&[]).await;
        assert_eq!((answer.status(), text(answer).await.as_str()), (StatusCode::OK, "text"));
        assert_eq!(stage.calls(), calls);
    }
    assert_eq!(stage.function.seen.lock().unwrap()[1]["if-none-match"], "\"1\"");
}

#[tokio::test]
async fn who_wants_only_what_is_kept_makes_no_call() {
    let stage = Stage::new("true", |_, _| reply(&[("cache-control", "max-age=60"), ("vary", "a")], "text"));
    let only = ("cache-control", "max-stale, Only-If-Cached");
    let refused = async |request| match stage.cached.call(invocation(request)).await.unwrap_err() {
        Failure::Denied(denial) => denial.code == Code::NotCached && denial.code.status() == 504,
        _ => false,
    };
    assert!(refused(request("GET", &[only])).await);
    assert_eq!(stage.calls(), 0);
    stage.get(&[]).await;
    assert_eq!(text(stage.get(&[only]).await).await, "text");
    // Another variant, a part, and what the client wants to be asked for again.
    for other in [("a", "b"), ("range", "bytes=0-1"), ("pragma", "no-cache")] {
        assert!(refused(request("GET", &[only, other])).await, "{other:?}");
    }
    assert!(refused(request("HEAD", &[only, ("a", "b")])).await);
    assert_eq!(stage.calls(), 1);
}

#[tokio::test]
async fn a_client_that_has_it_gets_no_body() {
    let stage = Stage::new("true", |_, _| reply(&[("cache-control", "max-age=60"), ("etag", "W/\"1\"")], "text"));
    stage.get(&[]).await;
    let answer = stage.get(&[("if-none-match", "\"0\", \"1\"")]).await;
    assert_eq!((answer.status(), text(answer).await.as_str()), (StatusCode::NOT_MODIFIED, ""));
    assert_eq!(stage.get(&[("if-none-match", "\"2\"")]).await.status(), StatusCode::OK);
    assert_eq!(stage.calls(), 1);
}

#[tokio::test]
async fn a_change_makes_it_forget() {
    let stage = Stage::new("true", |number, _| reply(&[("cache-control", "max-age=60")], format!("n{number}")));
    stage.get(&[]).await;
    stage.send(request("OPTIONS", &[])).await;
    assert_eq!(text(stage.get(&[]).await).await, "n0");
    stage.send(request("POST", &[])).await;
    assert_eq!(text(stage.get(&[]).await).await, "n3");
}

#[tokio::test]
async fn requests_at_once_are_one_call_if_the_reply_can_be_kept() {
    let gate = Arc::new(Notify::new());
    let stage = Stage::gated("true", Some(Arc::clone(&gate)), |number, _| {
        reply(&[("cache-control", "max-age=60")], format!("n{number}"))
    });
    let mut all = Box::pin(join_all((0..20).map(|_| stage.get(&[]))));
    assert!(futures_util::poll!(&mut all).is_pending());
    gate.notify_one();
    for answer in all.await {
        assert_eq!(text(answer).await, "n0");
    }
    assert_eq!(stage.calls(), 1);
}

#[tokio::test]
async fn requests_for_what_cannot_be_kept_do_not_wait_for_each_other() {
    let gate = Arc::new(Notify::new());
    let stage = Stage::gated("true", Some(Arc::clone(&gate)), |_, _| reply(&[("cache-control", "no-store")], "x"));
    gate.notify_one();
    stage.get(&[]).await;
    let mut all = Box::pin(join_all((0..20).map(|_| stage.get(&[]))));
    assert!(futures_util::poll!(&mut all).is_pending());
    // All of them wait for the function, which is what lets them go at once.
    gate.notify_waiters();
    assert_eq!(all.await.len(), 20);
    assert_eq!(stage.calls(), 21);
}

#[tokio::test]
async fn a_stream_is_kept_when_it_has_ended_well_and_is_not_too_large() {
    let streamed = |frames: Vec<Result<&'static str, ()>>| {
        let frame = |frame: Result<&'static str, ()>| match frame {
            Ok(text) => Ok(http_body::Frame::data(bytes::Bytes::from(text))),
            Err(()) => Err(BodyError::TimedOut),
        };
        Body::new(StreamBody::new(futures_util::stream::iter(frames.into_iter().map(frame))))
    };
    let settings = r#"{"max_entry": "6B"}"#;
    for (frames, whole, calls) in [
        (vec![Ok("abc"), Ok("def")], true, 1),
        (vec![Ok("abc"), Ok("defg")], true, 2),
        (vec![Ok("abc"), Err(())], false, 2),
    ] {
        let given = frames.clone();
        let stage =
            Stage::new(settings, move |_, _| reply(&[("cache-control", "max-age=60")], streamed(given.clone())));
        for _ in 0..2 {
            let read = stage.get(&[]).await.into_body().collect(100).await;
            assert_eq!(read.is_ok(), whole, "{frames:?}");
        }
        assert_eq!(stage.calls(), calls, "{frames:?}");
    }
}
