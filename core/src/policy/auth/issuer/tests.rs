use std::{
    collections::VecDeque,
    sync::atomic::{AtomicUsize, Ordering},
};

use http::Response;
use serde_json::json;
use tokio::{task::JoinSet, time::sleep};

use super::*;
use crate::{document::Secret, error::ErrorKind, remote::Counters, upstream::BoxFuture};

/// Services that answer GET by what stands for their URL: the next document each time, the last one for ever.
#[derive(Clone, Default)]
struct Web {
    documents: Arc<Mutex<HashMap<String, VecDeque<Option<String>>>>>,
    asked: Arc<AtomicUsize>,
}

impl Web {
    fn with(self, url: &str, documents: &[Option<serde_json::Value>]) -> Self {
        let documents = documents.iter().map(|document| document.as_ref().map(ToString::to_string)).collect();
        self.documents.lock().unwrap().insert(url.to_owned(), documents);
        self
    }
}

struct Page(Web, String);

impl Remotes for Web {
    fn http(&self, url: &str, _: &Context) -> Result<Arc<dyn HttpService>, Invalid> {
        Ok(Arc::new(Page(self.clone(), url.to_owned())))
    }

    fn counters(&self, _: &Secret, _: &Context) -> Result<Arc<dyn Counters>, Invalid> {
        Err(Invalid::new("none here"))
    }
}

impl HttpService for Page {
    fn call(&self, _: Request<Body>) -> BoxFuture<'_, Result<Response<Body>, UpstreamError>> {
        Box::pin(async move {
            sleep(Duration::from_millis(100)).await;
            self.0.asked.fetch_add(1, Ordering::SeqCst);
            let mut documents = self.0.documents.lock().unwrap();
            let queue = documents.get_mut(&self.1).ok_or(UpstreamError::new(ErrorKind::Unreachable, "no such host"))?;
            let next = if queue.len() > 1 { queue.pop_front().flatten() } else { queue.front().cloned().flatten() };
            let document = next.ok_or(UpstreamError::new(ErrorKind::Unreachable, "down"))?;
            Ok(Response::new(Body::from(document)))
        })
    }
}

fn keys(id: &str) -> serde_json::Value {
    json!({"keys": [{"kty": "RSA", "kid": id, "n": "sXch", "e": "AQAB"}]})
}

fn shown(keys: &KeySet) -> String {
    format!("{keys:?}")
}

const URL: &str = "https://issuer.example/keys";

fn kept(web: &Web, source: Source, last: &LastKeys) -> (Arc<Issuer>, JoinSet<()>) {
    let issuer = Arc::new(Issuer::new(source, last));
    let context = Context::new("policies", ".".as_ref(), tokio::runtime::Handle::current());
    let mut task = JoinSet::new();
    let (kept, remotes) = (Arc::clone(&issuer), Arc::new(web.clone()));
    task.spawn(async move { kept.keep(remotes, context).await });
    (issuer, task)
}

fn of_keys() -> Source {
    Source::Keys(URL.to_owned())
}

#[tokio::test(start_paused = true)]
async fn the_first_requests_wait_for_one_question() {
    let web = Web::default().with(URL, &[Some(keys("a"))]);
    let (issuer, _task) = kept(&web, of_keys(), &LastKeys::default());
    for keys in futures_util::future::join_all((0..20).map(|_| issuer.keys())).await {
        assert_eq!(shown(&keys.unwrap()), r#"["a"]"#);
    }
    assert_eq!(web.asked.load(Ordering::SeqCst), 1);
}

#[tokio::test(start_paused = true)]
async fn unknown_keys_bring_new_ones_at_most_every_ten_seconds() {
    let web = Web::default().with(URL, &[Some(keys("a")), Some(keys("b"))]);
    let (issuer, _task) = kept(&web, of_keys(), &LastKeys::default());
    let first = issuer.keys().await.unwrap();
    assert!(issuer.newer(&first).await.is_none(), "they were asked for just now");
    sleep(PAUSE).await;
    for newer in futures_util::future::join_all((0..20).map(|_| issuer.newer(&first))).await {
        assert_eq!(shown(&newer.unwrap()), r#"["b"]"#);
    }
    assert_eq!(web.asked.load(Ordering::SeqCst), 2);
    for _ in 0..100 {
        let known = issuer.keys().await.unwrap();
        issuer.newer(&known).await;
        sleep(Duration::from_millis(500)).await;
    }
    let asked = web.asked.load(Ordering::SeqCst);
    assert!((6..=8).contains(&asked), "{asked} questions in a minute");
}

#[tokio::test(start_paused = true)]
async fn the_last_keys_serve_while_the_issuer_is_down_and_over_a_reload() {
    let web = Web::default().with(URL, &[Some(keys("a")), None]);
    let last = LastKeys::default();
    let (issuer, task) = kept(&web, of_keys(), &last);
    issuer.keys().await.unwrap();
    sleep(REFRESH * 3).await;
    assert!(web.asked.load(Ordering::SeqCst) > 5, "it was asked again");
    assert_eq!(shown(&issuer.keys().await.unwrap()), r#"["a"]"#);
    drop((issuer, task));
    let (issuer, _task) = kept(&web, of_keys(), &last);
    assert_eq!(shown(&issuer.keys().await.unwrap()), r#"["a"]"#);
}

#[tokio::test(start_paused = true)]
async fn without_keys_requests_fail_at_once_and_heal_soon() {
    let web = Web::default().with(URL, &[None, None, None, None, Some(keys("a"))]);
    let (issuer, _task) = kept(&web, of_keys(), &LastKeys::default());
    let reason = issuer.keys().await.unwrap_err();
    assert!(reason.contains("down"), "{reason}");
    sleep(Duration::from_secs(30)).await;
    assert!(issuer.keys().await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_provider_says_where_its_keys_are() {
    const ISSUER: &str = "https://issuer.example/tenant";
    const DISCOVERY: &str = "https://issuer.example/tenant/.well-known/openid-configuration";
    for (document, outcome) in [
        (json!({"issuer": ISSUER, "jwks_uri": URL}), Ok(())),
        (json!({"issuer": "https://other.example", "jwks_uri": URL}), Err("one of the issuer")),
        (json!({"issuer": ISSUER}), Err("has no `jwks_uri`")),
        (json!({"issuer": ISSUER, "jwks_uri": "http://issuer.example/keys"}), Err("without TLS")),
    ] {
        let web = Web::default().with(URL, &[Some(keys("a"))]).with(DISCOVERY, &[Some(document)]);
        let (issuer, _task) = kept(&web, Source::Provider(ISSUER.to_owned()), &LastKeys::default());
        match (issuer.keys().await, outcome) {
            (Ok(_), Ok(())) => {}
            (Err(reason), Err(part)) => assert!(reason.contains(part), "{reason}"),
            (keys, _) => panic!("{keys:?}"),
        }
    }
}
