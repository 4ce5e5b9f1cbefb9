use std::{
    future::{pending, ready},
    path::Path,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use http::Request;
use schemars::JsonSchema;
use serde::Deserialize;
use tokio::sync::watch;
use tower::ServiceExt;

use super::*;
use crate::{
    Body, Context, Invalid, Invocation, Registry, Response, Settings, Target, Upstream, UpstreamError,
    document::{References, System},
    gateway,
};

/// What happened to the upstreams of a test, by its name.
static EVENTS: Mutex<BTreeMap<String, watch::Sender<Vec<String>>>> = Mutex::new(BTreeMap::new());

/// A kind that tells when it is connected and closed.
struct Probe {
    test: String,
    what: String,
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ProbeConfig {
    test: String,
    what: String,
    #[serde(default)]
    file: Option<String>,
    #[serde(default)]
    wrong: bool,
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ProbeTarget {
    name: String,
}

impl Settings for ProbeConfig {}
impl Settings for ProbeTarget {}

impl Target for ProbeTarget {
    const NAME: Option<&'static str> = Some("name");
}

fn events(test: &str) -> watch::Sender<Vec<String>> {
    EVENTS.lock().unwrap().entry(test.to_owned()).or_default().clone()
}

fn seen(test: &str) -> Vec<String> {
    events(test).borrow().clone()
}

impl Probe {
    fn tell(&self, event: &str) {
        events(&self.test).send_modify(|seen| seen.push(format!("{event} {}", self.what)));
    }
}

impl Upstream for Probe {
    const KIND: &'static str = "probe";
    const SUMMARY: &'static str = "a test";
    type Config = ProbeConfig;
    type Target = ProbeTarget;
    type Function = String;

    async fn connect(config: ProbeConfig, context: Context) -> Result<Self, UpstreamError> {
        if config.wrong {
            return Err(UpstreamError::new(crate::ErrorKind::Denied, "it was told to be wrong"));
        }
        if let Some(file) = &config.file {
            context.file(file);
        }
        let probe = Self { test: config.test, what: config.what };
        probe.tell("opened");
        Ok(probe)
    }

    fn bind(&self, target: ProbeTarget) -> Result<String, Invalid> {
        if target.name == "unknown" { Err(Invalid::new("there is no such function")) } else { Ok(target.name) }
    }

    async fn call(&self, function: &String, _: Invocation) -> Result<Response, UpstreamError> {
        let text = format!("{} {function}", self.what);
        if function == "stream" {
            let frames = futures_util::stream::iter([Ok::<_, std::io::Error>(http_body::Frame::data(text.into()))]);
            return Ok(Response::new(Body::new(http_body_util::StreamBody::new(frames))));
        }
        if function == "fail" {
            return Err(UpstreamError::new(crate::ErrorKind::Denied, format!("{} is refused", self.what)));
        }
        if function == "hang" {
            pending().await
        }
        Ok(Response::new(Body::from(text)))
    }

    async fn close(&self) {
        self.tell("closed");
    }
}

/// References that give what the test says.
struct Given(&'static str);

impl References for Given {
    fn variable(&self, _: &str) -> Option<String> {
        Some(self.0.to_owned())
    }

    fn file(&self, path: &Path) -> std::io::Result<String> {
        System.file(path)
    }
}

fn plan(folder: &Path, yaml: &str, references: &dyn References) -> Plan {
    let name = folder.join("test.yaml").display().to_string();
    let document =
        crate::document::Document::parse(&name, yaml, references).unwrap_or_else(|report| panic!("{report}"));
    Plan::read(&document, &Registry::new().with::<Probe>()).unwrap_or_else(|report| panic!("{report}"))
}

async fn gateway(folder: &Path, yaml: &str) -> Gateway {
    Gateway::new(Snapshot::load(plan(folder, yaml, &Given("1")), &Handle::current()).await.unwrap())
}

async fn prepared(gateway: &Gateway, folder: &Path, yaml: &str, given: &'static str) -> Result<Reloaded, LoadError> {
    Snapshot::reload(plan(folder, yaml, &Given(given)), gateway.snapshot(), &Handle::current()).await
}

async fn get(gateway: &Gateway, path: &str) -> http::Response<Body> {
    let request = Request::get(path).header("host", "a").body(Body::empty()).unwrap();
    gateway.clone().oneshot(request).await.unwrap()
}

async fn text(response: http::Response<Body>) -> String {
    let bytes = response.into_body().collect(1 << 20).await.unwrap();
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn yaml(test: &str, upstreams: &[(&str, &str)], routes: &str) -> String {
    let upstream = |(name, rest): &(&str, &str)| format!("  {name}: {{probe: {{test: {test}, {rest}}}}}\n");
    let upstreams: String = upstreams.iter().map(upstream).collect();
    format!("upstreams:\n{upstreams}routes: [{routes}]\n")
}

#[tokio::test]
async fn what_is_unchanged_goes_on_and_the_rest_is_replaced_at_once() {
    let test = "unchanged";
    let folder = Path::new("");
    let before = [("a", "what: a"), ("b", "what: b"), ("c", "what: c")];
    let routes = "{match: /a, to: a/f}, {match: /b, to: b/f}, {match: /c, to: c/f}";
    let gateway = gateway(folder, &yaml(test, &before, routes)).await;
    let after = [("c", "what: c2"), ("a", "what: a"), ("d", "what: d")];
    let routes = "{match: /a, to: a/g}, {match: /c, to: c/f}, {match: /d, to: d/f}";
    let reloaded = prepared(&gateway, folder, &yaml(test, &after, routes), "1").await.unwrap();
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    let expected = Turnover { reused: names(&["a"]), opened: names(&["c", "d"]), closed: names(&["b", "c"]) };
    assert_eq!(reloaded.changes().upstreams, expected);
    assert_eq!(text(get(&gateway, "/b").await).await, "b f", "nothing has changed yet");
    let dropped = reloaded.put_in_force(&gateway);
    for (path, answer) in [("/a", "a g"), ("/c", "c2 f"), ("/d", "d f")] {
        assert_eq!(text(get(&gateway, path).await).await, answer);
    }
    assert_eq!(get(&gateway, "/b").await.status(), 404);
    dropped.retire(ready(())).await;
    let mut seen = seen(test);
    seen.sort();
    let expected = ["closed b", "closed c", "opened a", "opened b", "opened c", "opened c2", "opened d"];
    assert_eq!(seen, expected);
}

#[tokio::test]
async fn a_reference_or_a_file_that_gives_another_value_replaces_the_upstream() {
    let test = "values";
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("ca.pem"), "1").unwrap();
    let upstreams = [("a", "what: 'a${A}'"), ("b", "what: b, file: ca.pem")];
    let yaml = yaml(test, &upstreams, "{match: /a, to: a/f}");
    let gateway = gateway(folder.path(), &yaml).await;
    let upstreams = async |given: &'static str| {
        let reloaded = prepared(&gateway, folder.path(), &yaml, given).await.unwrap();
        let changes = reloaded.changes().upstreams.clone();
        drop(reloaded.put_in_force(&gateway));
        (changes.reused, changes.opened)
    };
    let both = vec!["a".to_owned(), "b".to_owned()];
    assert_eq!(upstreams("1").await, (both, vec![]));
    assert_eq!(upstreams("2").await, (vec!["b".to_owned()], vec!["a".to_owned()]));
    std::fs::write(folder.path().join("ca.pem"), "2").unwrap();
    let named = Arc::clone(gateway.snapshot().sources().named());
    assert_eq!(named.changed(), [folder.path().join("ca.pem")], "the file of an upstream that went on is watched");
    assert_eq!(upstreams("2").await, (vec!["a".to_owned()], vec!["b".to_owned()]));
    assert!(gateway.snapshot().sources().named().changed().is_empty());
}

#[tokio::test]
async fn a_failure_is_told_without_the_secrets_of_the_configuration_that_it_had() {
    let folder = tempfile::tempdir().unwrap();
    let yaml = yaml("secrets", &[("a", "what: '${A}'")], "{match: /a, to: a/fail}");
    let former = plan(folder.path(), &yaml, &Given("former-secret"));
    let gateway = Gateway::new(Snapshot::load(former, &Handle::current()).await.unwrap());
    get(&gateway, "/a").await;
    let reloaded = prepared(&gateway, folder.path(), &yaml, "next-secret").await.unwrap();
    drop(reloaded.put_in_force(&gateway));
    get(&gateway, "/a").await;
    let failures = gateway.recent_failures();
    assert_eq!(failures.len(), 2, "{failures:?}");
    for failure in failures {
        assert!(failure.reason.contains("${A} is refused"), "{failure:?}");
    }
}

#[tokio::test]
async fn what_the_former_one_alone_has_is_closed_after_its_last_request() {
    let test = "last";
    let folder = Path::new("");
    let gateway =
        gateway(folder, &yaml(test, &[("a", "what: a")], "{match: /s, to: a/stream}, {match: /h, to: a/hang}")).await;
    let streams = get(&gateway, "/s").await;
    let other = gateway.clone();
    let hangs = Handle::current().spawn(async move { get(&other, "/h").await });
    let mut upgraded = Request::get("/s").header("host", "a").header("connection", "upgrade");
    upgraded = upgraded.header("upgrade", "websocket");
    let (mut parts, ()) = upgraded.body(()).unwrap().into_parts();
    let in_use = {
        let connection = crate::Connection::new("l".into(), None, false, Arc::from([]));
        let origin = crate::edge::origin(&parts, &connection);
        let seen = crate::edge::Seen::of(&parts.headers);
        assert!(
            gateway::prepare(&mut parts, &origin, &crate::RequestId::random().to_header(), seen, &connection),
            "it asks for an upgrade"
        );
        gateway.snapshot().in_use.clone()
    };
    let dropped = prepared(&gateway, folder, &yaml(test, &[], ""), "1").await.unwrap().put_in_force(&gateway);
    let retired = Handle::current().spawn(dropped.retire(ready(())));
    let still_open = async || {
        for _ in 0..20 {
            tokio::task::yield_now().await;
        }
        assert!(!retired.is_finished());
        assert_eq!(seen(test), ["opened a"]);
    };
    still_open().await;
    assert_eq!(text(streams).await, "a stream");
    still_open().await;
    hangs.abort();
    drop(hangs.await);
    still_open().await;
    drop(in_use);
    retired.await.unwrap();
    assert_eq!(seen(test), ["opened a", "closed a"]);
}

#[tokio::test]
async fn a_failed_reload_closes_what_it_opened_and_leaves_the_rest() {
    let test = "failed";
    let folder = Path::new("");
    let gateway = gateway(folder, &yaml(test, &[("a", "what: a")], "{match: /a, to: a/f}")).await;
    let upstreams = [("a", "what: a"), ("b", "what: b"), ("c", "what: c, wrong: true")];
    let failed =
        prepared(&gateway, folder, &yaml(test, &upstreams, "{match: /a, to: a/unknown}"), "1").await.unwrap_err();
    let report = failed.to_string();
    assert!(report.contains("it was told to be wrong") && report.contains("there is no such function"), "{report}");
    assert_eq!(seen(test), ["opened a", "opened b", "closed b"]);
    assert_eq!(text(get(&gateway, "/a").await).await, "a f");

    let unwanted = prepared(&gateway, folder, &yaml(test, &upstreams[..2], "{match: /b, to: b/f}"), "1").await.unwrap();
    unwanted.abandon().await;
    assert_eq!(seen(test)[3..], ["opened b", "closed b"]);
    assert_eq!(text(get(&gateway, "/a").await).await, "a f");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_request_meets_one_whole_configuration() {
    let test = "whole";
    let folder = Path::new("");
    let version =
        |number: usize| yaml(test, &[("a", &format!("what: v{number}"))], &format!("{{match: /a, to: a/v{number}}}"));
    let gateway = gateway(folder, &version(0)).await;
    static ANSWERED: AtomicUsize = AtomicUsize::new(0);
    let other = gateway.clone();
    let (stop, stopped) = watch::channel(false);
    let asking = Handle::current().spawn(async move {
        while !*stopped.borrow() {
            let answer = text(get(&other, "/a").await).await;
            let (upstream, function) = answer.split_once(' ').unwrap();
            assert_eq!(upstream, function, "a function of one configuration on the upstream of another");
            ANSWERED.fetch_add(1, Ordering::Relaxed);
        }
    });
    for number in 1..50 {
        let before = ANSWERED.load(Ordering::Relaxed);
        let dropped = prepared(&gateway, folder, &version(number), "1").await.unwrap().put_in_force(&gateway);
        dropped.retire(ready(())).await;
        while ANSWERED.load(Ordering::Relaxed) == before {
            tokio::task::yield_now().await;
        }
    }
    stop.send_replace(true);
    asking.await.unwrap();
    let seen = seen(test);
    let closed: Vec<_> = seen.iter().filter(|event| event.starts_with("closed")).collect();
    assert_eq!(closed.len(), 49, "{seen:?}");
}
