use std::sync::{
    Mutex,
    atomic::{AtomicUsize, Ordering},
};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::{runtime::Handle, time::advance};

use super::*;
use crate::{
    Body, Context, DiscoverError, Invalid, Invocation, LoadError, Registry, Response, Settings, Snapshot, Target,
    Upstream,
    document::{Document, System},
    plan::Plan,
};

/// What the shelves of the tests hold, by name; `None` is one that can't be looked at.
static SHELVES: Mutex<BTreeMap<String, Option<Vec<&str>>>> = Mutex::new(BTreeMap::new());

/// How often any shelf was asked.
static ASKED: Mutex<BTreeMap<String, AtomicUsize>> = Mutex::new(BTreeMap::new());

/// A kind whose functions are those that a test puts on its shelf.
struct Shelf(String);

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ShelfConfig {
    name: String,
}

impl Settings for ShelfConfig {}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ShelfTarget {
    name: String,
}

impl Settings for ShelfTarget {}

impl Target for ShelfTarget {
    const NAME: Option<&'static str> = Some("name");
}

impl Upstream for Shelf {
    const KIND: &'static str = "shelf";
    const SUMMARY: &'static str = "functions of a test";
    const DISCOVERS: bool = true;
    type Config = ShelfConfig;
    type Target = ShelfTarget;
    type Function = String;

    async fn connect(config: ShelfConfig, _: Context) -> Result<Self, UpstreamError> {
        Ok(Self(config.name))
    }

    fn bind(&self, target: ShelfTarget) -> Result<String, Invalid> {
        Ok(target.name)
    }

    async fn call(&self, _: &String, _: Invocation) -> Result<Response, UpstreamError> {
        Ok(Response::new(Body::empty()))
    }

    async fn discover(&self) -> Result<Vec<Discovered>, UpstreamError> {
        ASKED.lock().unwrap().entry(self.0.clone()).or_default().fetch_add(1, Ordering::SeqCst);
        let shelf = SHELVES.lock().unwrap().get(&self.0).cloned().flatten();
        let functions = shelf.ok_or_else(|| UpstreamError::new(ErrorKind::Unreachable, "the shelf is out of reach"))?;
        Ok(functions.into_iter().map(Discovered::new).collect())
    }

    fn listed_as(&self, function: &String) -> Option<String> {
        Some(function.clone())
    }
}

fn put(shelf: &str, functions: Option<&[&'static str]>) {
    SHELVES.lock().unwrap().insert(shelf.to_owned(), functions.map(<[_]>::to_vec));
}

fn asked(shelf: &str) -> usize {
    ASKED.lock().unwrap().get(shelf).map_or(0, |asked| asked.load(Ordering::SeqCst))
}

fn plan(yaml: &str) -> Plan {
    let document = Document::parse("shelf.yaml", yaml, &System).unwrap();
    Plan::read(&document, &Registry::new().with::<Shelf>()).unwrap()
}

/// A snapshot of an upstream `shop` with this shelf and routes to these functions.
async fn loaded(shelf: &str, discover: &str, functions: &[&str]) -> Result<Snapshot, LoadError> {
    let mut yaml = format!("upstreams:\n  shop: {{shelf: {{name: {shelf}}}, discover: {discover}}}\nroutes:\n");
    for function in functions {
        yaml.push_str(&format!("  - {{match: /{function}, to: shop/{function}}}\n"));
    }
    Snapshot::load(plan(&yaml), &Handle::current()).await
}

async fn found(snapshot: &Snapshot) -> Result<(Vec<String>, String), String> {
    match snapshot.discovered().await.remove("shop").unwrap() {
        Ok(found) => {
            let names = found.functions.iter().map(|function| function.name().to_owned()).collect();
            Ok((names, if found.missing.is_empty() { String::new() } else { found.missing.to_string() }))
        }
        Err(error) => Err(error.to_string()),
    }
}

#[tokio::test(start_paused = true)]
async fn a_route_to_a_function_that_is_not_there_is_told_at_its_place() {
    put("told", Some(&["list-orders", "create-order", "create-order"]));
    let snapshot = loaded("told", "true", &["create-order", "create-ordr"]).await.unwrap();
    let (names, missing) = found(&snapshot).await.unwrap();
    assert_eq!(names, ["create-order", "list-orders"]);
    assert!(missing.contains("no function `create-ordr` at the upstream `shop`"), "{missing}");
    assert!(missing.contains("shelf.yaml:5:") && missing.contains("routes[1].to"), "{missing}");
    assert!(missing.contains("did you mean `create-order`?") && missing.contains("1 error"), "{missing}");
}

#[tokio::test(start_paused = true)]
async fn functions_outside_the_globs_are_not_looked_for() {
    put("globs", Some(&["orders-a", "orders-b-test", "users"]));
    let discover = "{include: [orders-*], exclude: ['*-test']}";
    let snapshot = loaded("globs", discover, &["users", "nobody", "orders-a"]).await.unwrap();
    assert_eq!(found(&snapshot).await.unwrap(), (vec!["orders-a".to_owned()], String::new()));
}

#[tokio::test(start_paused = true)]
async fn the_remote_is_asked_again_and_again() {
    put("again", Some(&["a"]));
    let snapshot = loaded("again", "{every: 10s}", &["b"]).await.unwrap();
    assert!(found(&snapshot).await.unwrap().1.contains("`b`"));
    put("again", Some(&["a", "b"]));
    advance(Duration::from_secs(9)).await;
    assert_eq!(found(&snapshot).await.unwrap().0, ["a"]);
    while found(&snapshot).await.unwrap().0 != ["a", "b"] {
        advance(Duration::from_millis(100)).await;
    }
    assert_eq!((found(&snapshot).await.unwrap().1, asked("again")), (String::new(), 2));
}

#[tokio::test(start_paused = true)]
async fn a_remote_that_is_down_fails_no_load_and_is_asked_soon_again() {
    put("down", None);
    let snapshot = loaded("down", "{every: 1h}", &["a"]).await.unwrap();
    assert_eq!(found(&snapshot).await.unwrap_err(), "the shelf is out of reach");
    put("down", Some(&["a"]));
    let mut waited = Duration::ZERO;
    while found(&snapshot).await.is_err() {
        advance(Duration::from_millis(100)).await;
        waited += Duration::from_millis(100);
    }
    assert!(waited <= Duration::from_secs(2), "{waited:?}");
    assert_eq!(asked("down"), 2);
}

#[tokio::test(start_paused = true)]
async fn a_closed_upstream_is_asked_no_more() {
    put("closed", Some(&["a"]));
    let snapshot = loaded("closed", "{every: 1s}", &[]).await.unwrap();
    found(&snapshot).await.unwrap();
    snapshot.close().await;
    advance(Duration::from_secs(60)).await;
    assert_eq!(asked("closed"), 1);
}

#[tokio::test(start_paused = true)]
async fn without_discover_nothing_is_asked_unless_a_listing_is() {
    put("asked", Some(&["b", "a", "a-test"]));
    let document = |discover: &str| format!("upstreams: {{shop: {{shelf: {{name: asked}}, discover: {discover}}}}}");
    let snapshot = Snapshot::load(plan(&document("false")), &Handle::current()).await.unwrap();
    assert!(snapshot.discovered().await.is_empty());
    assert_eq!(asked("asked"), 0);
    for (discover, listed) in [("false", "a a-test b"), ("{exclude: '*-test'}", "a b")] {
        let listing = plan(&document(discover)).discover("shop", &Handle::current()).await.unwrap();
        let names: Vec<_> = listing.functions().iter().map(Discovered::name).collect();
        assert_eq!(names.join(" "), listed);
    }
}

#[tokio::test(start_paused = true)]
async fn a_listing_that_can_not_be_had_says_why() {
    put("lost", None);
    let yaml = "upstreams: {shop: {shelf: {name: lost}}, mirror: {echo: {}}}";
    let failed = async |upstream: &str| plan(yaml).discover(upstream, &Handle::current()).await.unwrap_err();
    let unknown = failed("shp").await;
    assert!(unknown.to_string().contains("no upstream `shp`") && unknown.to_string().contains("`shop`?"), "{unknown}");
    let unknown = failed("elsewhere").await;
    assert!(unknown.to_string().contains("its upstreams are mirror, shop"), "{unknown}");
    assert!(matches!(failed("mirror").await, DiscoverError::Unsupported { kind: "echo", .. }));
    let lost = failed("shop").await;
    assert!(lost.to_string().ends_with("can't be listed: the shelf is out of reach"), "{lost}");
}

#[test]
fn discover_is_refused_where_the_kind_has_none() {
    let yaml = "upstreams: {mirror: {echo: {}, discover: true}}";
    let document = Document::parse("shelf.yaml", yaml, &System).unwrap();
    let report = Plan::read(&document, &Registry::new().with::<Shelf>()).unwrap_err().to_string();
    assert!(report.contains("the kind `echo` can't list its functions"), "{report}");
    assert!(report.contains("upstreams.mirror.discover") && report.contains("1:32"), "{report}");
    assert!(report.contains("the kinds that can are `shelf`"), "{report}");
}

#[test]
fn a_pause_after_failures_grows_up_to_the_usual_one() {
    let every = Duration::from_secs(60);
    assert_eq!(pause(every, 0), every);
    for (failures, longest) in [(1, 1), (2, 2), (5, 16), (7, 60), (u32::MAX, 60)] {
        let pause = pause(every, failures);
        let longest = Duration::from_secs(longest);
        assert!(longest / 2 <= pause && pause <= longest, "{failures}: {pause:?}");
    }
}

#[test]
fn long_lists_of_names_are_cut_short() {
    let names = vec!["f"; 23];
    assert!(listed(names.into_iter()).ends_with("f, f and 3 more"));
    assert_eq!(listed(["a", "b"].into_iter()), "a, b");
}
