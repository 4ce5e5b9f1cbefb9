//! Against the stand-in for Google's token services, with a clock on either side that the test moves.

use std::{
    path::Path,
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, SystemTime},
};

use callgate_core::ErrorKind;
use callgate_testkit::peers::{GoogleTokens, present, until};
use futures_util::future::join_all;
use http::HeaderValue;
use serde_json::{Value, json};
use tokio::{runtime::Handle, time::timeout};

use super::*;

const LIMIT: Duration = Duration::from_secs(30);
const AUDIENCE: &str = "https://europe-west1-project.cloudfunctions.net/hello";

/// A clock that stands still unless the test moves it.
#[derive(Clone)]
struct Hands {
    start: SystemTime,
    /// Seconds since then.
    moved: Arc<AtomicU64>,
}

impl Hands {
    fn new() -> Self {
        // Whole seconds, as claims have them.
        let seconds = SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs();
        Self { start: SystemTime::UNIX_EPOCH + Duration::from_secs(seconds), moved: Arc::default() }
    }

    fn now(&self) -> SystemTime {
        self.at(self.moved.load(Ordering::SeqCst))
    }

    fn at(&self, seconds: u64) -> SystemTime {
        self.start + Duration::from_secs(seconds)
    }

    fn clock(&self) -> Clock {
        let hands = self.clone();
        Clock::of(move || hands.now())
    }
}

struct Stage {
    peer: GoogleTokens,
    tokens: Tokens,
    hands: Hands,
}

fn context() -> Context {
    Context::new("functions", Path::new("/"), Handle::current())
}

async fn tokens(file: Option<PathBuf>, environment: Environment, hands: &Hands) -> Result<Tokens, Setup> {
    Tokens::with(file, environment, hands.clock(), &context()).await
}

impl Stage {
    /// With one of the stand-in's files.
    async fn with(credentials: &str) -> Option<Self> {
        let peer = present(GoogleTokens::start().await)?;
        let hands = Hands::new();
        peer.set_time(hands.now()).await.unwrap();
        let tokens = tokens(Some(peer.credentials(credentials)), Environment::default(), &hands).await.unwrap();
        Some(Self { peer, tokens, hands })
    }

    /// Moves both clocks to so many seconds after the start.
    async fn clock(&self, seconds: u64) {
        self.hands.moved.store(seconds, Ordering::SeqCst);
        self.peer.set_time(self.hands.now()).await.unwrap();
    }

    /// Moves both clocks on.
    async fn later(&self, seconds: u64) {
        self.clock(self.hands.moved.load(Ordering::SeqCst) + seconds).await;
    }

    async fn header(&self) -> Result<HeaderValue, TokenError> {
        timeout(LIMIT, self.tokens.for_audience(AUDIENCE).header()).await.expect("it takes too long")
    }

    async fn failure(&self) -> TokenError {
        self.header().await.unwrap_err()
    }

    /// Lets the rest after a failure pass, and gets a token.
    async fn recovered(&self) -> HeaderValue {
        self.later(70).await;
        self.header().await.unwrap()
    }

    /// What google-auth says of a header.
    async fn verified(&self, header: &HeaderValue) -> Value {
        verified(&self.peer, header, AUDIENCE).await
    }

    /// The paths that were asked for since the last time.
    async fn paths(&self) -> Vec<String> {
        paths(&self.peer).await
    }
}

async fn verified(peer: &GoogleTokens, header: &HeaderValue, audience: &str) -> Value {
    let token = header.to_str().unwrap().strip_prefix("Bearer ").unwrap();
    assert!(header.is_sensitive());
    peer.verify(token, audience).await.unwrap()
}

async fn paths(peer: &GoogleTokens) -> Vec<String> {
    let requests = peer.requests().await.unwrap();
    let paths = requests.iter().map(|request| request["path"].as_str().unwrap().to_owned());
    paths.filter(|path| path != "/certs").collect()
}

#[tokio::test]
async fn every_source_gives_a_token_that_google_auth_accepts() {
    let Some(peer) = present(GoogleTokens::start().await) else { return };
    let hands = Hands::new();
    for (credentials, email) in [
        ("service_account", &peer.account),
        ("impersonated", &peer.invoker),
        ("by_user", &peer.invoker),
        ("file_sourced", &peer.invoker),
        ("url_sourced", &peer.invoker),
    ] {
        let tokens = tokens(Some(peer.credentials(credentials)), Environment::default(), &hands).await.unwrap();
        let header = tokens.for_audience(AUDIENCE).header().await.unwrap();
        let claims = verified(&peer, &header, AUDIENCE).await;
        assert_eq!((&claims["email"], &claims["aud"]), (&json!(email), &json!(AUDIENCE)), "{credentials}");
    }
    let environment = Environment { metadata_host: Some(peer.host().into()), ..Environment::default() };
    let tokens = tokens(None, environment, &hands).await.unwrap();
    let header = tokens.for_audience(AUDIENCE).header().await.unwrap();
    assert_eq!(verified(&peer, &header, AUDIENCE).await["email"], json!(peer.machine));
}

#[tokio::test]
async fn the_assertion_says_what_google_asks_for() {
    let Some(stage) = Stage::with("service_account").await else { return };
    stage.header().await.unwrap();
    let requests = stage.peer.requests().await.unwrap();
    let claims = &requests[0]["claims"];
    assert_eq!((&claims["iss"], &claims["target_audience"]), (&json!(stage.peer.account), &json!(AUDIENCE)));
    assert_eq!(claims["exp"].as_u64().unwrap() - claims["iat"].as_u64().unwrap(), 3600);
    assert_eq!(claims.as_object().unwrap().len(), 5, "{claims}");
}

#[tokio::test]
async fn calls_share_one_fetch() {
    let Some(stage) = Stage::with("service_account").await else { return };
    let headers = join_all((0..50).map(|_| stage.header())).await;
    let first = headers[0].as_ref().unwrap();
    assert!(headers.iter().all(|header| header.as_ref().unwrap() == first));
    assert_eq!(stage.paths().await, ["/token"]);
}

#[tokio::test]
async fn each_audience_has_a_token_of_its_own() {
    let Some(stage) = Stage::with("service_account").await else { return };
    let other = stage.tokens.for_audience("https://other").header().await.unwrap();
    assert_eq!(verified(&stage.peer, &other, "https://other").await["aud"], "https://other");
    assert!(stage.verified(&other).await["refused"].as_str().unwrap().contains("audience"));
    stage.header().await.unwrap();
    stage.header().await.unwrap();
    assert_eq!(stage.paths().await, ["/token", "/token"]);
    assert_eq!(stage.tokens.all().len(), 2);
}

#[tokio::test]
async fn one_access_token_serves_all_audiences() {
    let Some(stage) = Stage::with("impersonated").await else { return };
    let audiences = ["https://a", "https://b", "https://c"];
    join_all(audiences.map(|audience| async { stage.tokens.for_audience(audience).header().await.unwrap() })).await;
    let paths = stage.paths().await;
    assert_eq!(paths.iter().filter(|path| *path == "/token").count(), 1, "{paths:?}");
    assert_eq!(paths.len(), 4, "{paths:?}");
}

#[tokio::test]
async fn a_token_is_renewed_five_minutes_ahead_while_calls_go_on_with_it() {
    let Some(stage) = Stage::with("service_account").await else { return };
    let first = stage.header().await.unwrap();
    // Five minutes, and half a minute by chance.
    stage.clock(3600 - 331).await;
    assert_eq!(stage.header().await.unwrap(), first);
    assert_eq!(stage.paths().await, ["/token"]);
    stage.clock(3600 - 300).await;
    let during = join_all((0..50).map(|_| stage.header())).await;
    assert!(during.iter().any(|header| *header.as_ref().unwrap() == first), "nobody has to wait");
    assert!(until(LIMIT, async || stage.header().await.unwrap() != first).await);
    assert_eq!(stage.paths().await, ["/token"], "one renewal for all of them");
    assert_eq!(stage.verified(&stage.header().await.unwrap()).await["aud"], AUDIENCE);
}

#[tokio::test]
async fn a_token_that_has_ended_is_never_sent() {
    let Some(stage) = Stage::with("service_account").await else { return };
    let first = stage.header().await.unwrap();
    stage.clock(3600 - 5).await;
    let next = stage.header().await.unwrap();
    assert_ne!(next, first);
    assert_eq!(stage.verified(&next).await["aud"], AUDIENCE);
}

#[tokio::test]
async fn a_renewal_that_fails_leaves_the_token_in_force_and_rests() {
    let Some(stage) = Stage::with("service_account").await else { return };
    let first = stage.header().await.unwrap();
    stage.peer.set_trouble(json!({"path": "/token", "status": 503})).await.unwrap();
    stage.clock(3600 - 200).await;
    let failed = async || stage.header().await.unwrap() == first && stage.paths().await.len() == 1;
    stage.paths().await;
    assert!(until(LIMIT, failed).await);
    for _ in 0..20 {
        assert_eq!(stage.header().await.unwrap(), first);
    }
    assert!(stage.paths().await.is_empty(), "the rest after a failure");
    stage.peer.set_trouble(json!({})).await.unwrap();
    // The failed fetch may land after the clock has moved, and rests from then on.
    let renewed = async || {
        stage.later(3).await;
        stage.header().await.unwrap() != first
    };
    assert!(until(LIMIT, renewed).await);
}

#[tokio::test]
async fn an_endpoint_that_is_down_is_unavailable_and_asked_again_after_a_rest() {
    let Some(stage) = Stage::with("service_account").await else { return };
    stage.peer.set_trouble(json!({"path": "/token", "status": 500, "body": "<html>"})).await.unwrap();
    let failures = join_all((0..20).map(|_| stage.header())).await;
    for failure in failures {
        let failure = failure.unwrap_err();
        assert_eq!(failure.kind, ErrorKind::Unavailable);
        assert!(failure.retry_after.is_some_and(|wait| wait <= Duration::from_secs(2)), "{failure:?}");
    }
    assert_eq!(stage.failure().await.kind, ErrorKind::Unavailable);
    assert_eq!(stage.paths().await, ["/token"], "nobody asks while it rests");
    stage.peer.set_trouble(json!({})).await.unwrap();
    stage.recovered().await;
    assert_eq!(stage.paths().await, ["/token"]);
}

#[tokio::test]
async fn nobody_listening_is_unavailable() {
    let Some(peer) = present(GoogleTokens::start().await) else { return };
    let file = peer.credentials("service_account");
    let text = std::fs::read_to_string(&file).unwrap();
    let refusing = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    std::fs::write(&file, text.replace(peer.host(), &refusing.to_string())).unwrap();
    let tokens = tokens(Some(file), Environment::default(), &Hands::new()).await.unwrap();
    let failure = tokens.for_audience(AUDIENCE).header().await.unwrap_err();
    assert_eq!(failure.kind, ErrorKind::Unavailable);
    assert!(failure.message.contains("no connection to"), "{failure}");
}

#[tokio::test]
async fn clocks_that_differ_are_told_by_the_endpoint() {
    let Some(stage) = Stage::with("service_account").await else { return };
    stage.peer.set_time(stage.hands.at(7200)).await.unwrap();
    let failure = stage.failure().await;
    assert_eq!(failure.kind, ErrorKind::Denied);
    assert!(failure.message.contains("invalid_grant") && failure.message.contains("short-lived"), "{failure}");
    stage.recovered().await;
}

#[tokio::test]
async fn a_throttling_endpoint_is_left_alone_as_long_as_it_asks() {
    let Some(stage) = Stage::with("service_account").await else { return };
    let trouble = json!({"path": "/token", "status": 429, "headers": {"retry-after": "40"}});
    stage.peer.set_trouble(trouble).await.unwrap();
    assert_eq!(stage.failure().await.kind, ErrorKind::Throttled);
    stage.clock(30).await;
    let failure = stage.failure().await;
    assert!(failure.retry_after.is_some_and(|wait| wait <= Duration::from_secs(10)), "{failure:?}");
    assert_eq!(stage.paths().await, ["/token"]);
}

#[tokio::test]
async fn a_call_that_leaves_does_not_end_the_fetch() {
    let Some(stage) = Stage::with("service_account").await else { return };
    stage.peer.set_trouble(json!({"path": "/token", "stall": true})).await.unwrap();
    let impatient = timeout(Duration::from_millis(200), stage.tokens.for_audience(AUDIENCE).header()).await;
    assert!(impatient.is_err(), "the endpoint is slow");
    stage.peer.set_trouble(json!({})).await.unwrap();
    stage.header().await.unwrap();
    assert_eq!(stage.paths().await, ["/token"]);
}

#[tokio::test]
async fn answers_that_bring_no_token_are_told_without_what_they_hold() {
    let Some(stage) = Stage::with("service_account").await else { return };
    for body in
        ["", "<html>s3cret</html>", r#"{"id_token": 5}"#, r#"{"id_token": "s3cret"}"#, r#"{"access_token": "s3cret"}"#]
    {
        stage.peer.set_trouble(json!({"path": "/token", "status": 200, "body": body})).await.unwrap();
        let failure = stage.failure().await;
        assert_eq!(failure.kind, ErrorKind::Unavailable, "{body}");
        assert!(!failure.message.contains("s3cret"), "{failure}");
        stage.peer.set_trouble(json!({})).await.unwrap();
        stage.recovered().await;
        stage.later(4000).await;
    }
}

#[tokio::test]
async fn a_token_that_came_too_late_blames_the_clock() {
    let Some(stage) = Stage::with("service_account").await else { return };
    stage.peer.set_life(5).await.unwrap();
    assert!(stage.failure().await.message.contains("clock"));
    stage.peer.set_life(60).await.unwrap();
    let first = stage.recovered().await;
    stage.later(31).await;
    assert!(until(LIMIT, async || stage.header().await.unwrap() != first).await, "half of a short life");
}

#[tokio::test]
async fn a_refused_token_is_replaced_unless_it_is_new() {
    let Some(stage) = Stage::with("service_account").await else { return };
    let token = stage.tokens.for_audience(AUDIENCE);
    let first = stage.header().await.unwrap();
    token.refused();
    assert_eq!(stage.header().await.unwrap(), first);
    stage.clock(60).await;
    token.refused();
    assert_ne!(stage.header().await.unwrap(), first);
}

#[tokio::test]
async fn who_may_not_impersonate_is_denied() {
    let Some(stage) = Stage::with("by_user").await else { return };
    let file = stage.peer.credentials("by_user");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text.replace("between@", "other@")).unwrap();
    let tokens = tokens(Some(file), Environment::default(), &stage.hands).await.unwrap();
    let failure = tokens.for_audience(AUDIENCE).header().await.unwrap_err();
    assert_eq!(failure.kind, ErrorKind::Denied);
    assert!(failure.message.contains("iam.serviceAccounts.getOpenIdToken"), "{failure}");
}

#[tokio::test]
async fn a_subject_token_is_read_for_every_exchange() {
    let Some(stage) = Stage::with("file_sourced").await else { return };
    stage.peer.write_subject_token(-10).await.unwrap();
    let failure = stage.failure().await;
    assert_eq!(failure.kind, ErrorKind::Denied);
    assert!(failure.message.contains("the subject token has expired"), "{failure}");
    stage.peer.write_subject_token(600).await.unwrap();
    stage.recovered().await;
}

#[tokio::test]
async fn a_subject_token_that_is_gone_is_told() {
    let Some(stage) = Stage::with("file_sourced").await else { return };
    std::fs::remove_file(stage.peer.credentials("x").with_file_name("subject_token")).unwrap();
    let failure = stage.failure().await;
    assert_eq!(failure.kind, ErrorKind::Unavailable);
    assert!(failure.message.contains("subject_token can't be read"), "{failure}");
}

#[tokio::test]
async fn a_pool_may_ask_for_a_client() {
    let Some(stage) = Stage::with("url_sourced").await else { return };
    stage.header().await.unwrap();
    let requests = stage.peer.requests().await.unwrap();
    let exchange = requests.iter().find(|request| request["path"] == "/v1/sts").unwrap();
    assert_eq!(exchange["authorization"], true);
    assert!(requests.iter().any(|request| request["path"] == "/subject" && request["resource"] == "callgate"));
}

#[tokio::test]
async fn credentials_are_looked_for_as_googles_libraries_do() {
    let Some(peer) = present(GoogleTokens::start().await) else { return };
    let folder = tempfile::tempdir().unwrap();
    let gcloud = folder.path().join(".config/gcloud");
    std::fs::create_dir_all(&gcloud).unwrap();
    std::fs::copy(peer.credentials("impersonated"), gcloud.join("application_default_credentials.json")).unwrap();
    let mut environment = Environment {
        file: Some(peer.credentials("service_account").into()),
        gcloud: None,
        home: Some(folder.path().into()),
        metadata_host: Some(peer.host().into()),
    };
    let source = |environment: &Environment| environment.credentials().unwrap().to_string();
    assert_eq!(source(&environment), format!("the key of {}", peer.account));
    environment.file = None;
    assert_eq!(source(&environment), "an impersonation by a service account's key");
    environment.gcloud = Some(folder.path().into());
    assert_eq!(source(&environment), "the metadata server", "another folder of gcloud, which holds nothing");
    (environment.home, environment.gcloud) = (None, None);
    assert_eq!(source(&environment), "the metadata server");
    environment.file = Some(folder.path().join("nothing.json").into());
    let missing = callgate_core::chain(&environment.credentials().unwrap_err());
    assert!(missing.contains("nothing.json can't be read"), "{missing}");
}

#[tokio::test]
async fn what_is_no_metadata_server_is_not_believed() {
    let Some(peer) = present(GoogleTokens::start().await) else { return };
    let environment = Environment { metadata_host: Some(peer.host().into()), ..Environment::default() };
    peer.set_trouble(json!({"path": "/computeMetadata", "status": 200, "body": "a.b.c"})).await.unwrap();
    let denied = tokens(None, environment.clone(), &Hands::new()).await.unwrap();
    let failure = denied.for_audience(AUDIENCE).header().await.unwrap_err();
    assert!(failure.kind == ErrorKind::Denied && failure.message.contains("metadata-flavor"), "{failure}");
    peer.set_trouble(json!({"path": "/computeMetadata", "status": 404})).await.unwrap();
    let none = tokens(None, environment, &Hands::new()).await.unwrap();
    let failure = none.for_audience(AUDIENCE).header().await.unwrap_err();
    assert!(failure.kind == ErrorKind::Denied && failure.message.contains("service account"), "{failure}");
}

#[tokio::test]
async fn keys_and_tokens_are_in_no_debug() {
    let Some(stage) = Stage::with("impersonated").await else { return };
    let header = stage.header().await.unwrap();
    let shown = format!("{:?} {:?} {:?} {header:?}", stage.tokens, stage.tokens.all(), stage.tokens.minter);
    assert!(!shown.contains("PRIVATE KEY") && !shown.contains("ya29") && !shown.contains("eyJ"), "{shown}");
}
