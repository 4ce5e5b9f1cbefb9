//! Keys and passwords.

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use crate::gateway::Gateway;

/// `U*U`, by bcrypt: a test vector of Openwall's crypt_blowfish.
const HASH: &str = "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW";

const DOCUMENT: &str = r#"
upstreams: {e: {echo: {}}}
defaults:
  auth: {api_key: {keys: {shop: key-of-shop, bank: "sha256:2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b"}}}
routes:
  - {match: GET /echo, to: e}
  - {match: GET /open, to: e, auth: none}
  - {match: GET /broken, to: {upstream: e, fail: upstream_timeout}}
  - {match: GET /limited, to: e, rate_limit: {limit: 1/d, by: principal}}
  - {match: GET /maybe, to: e, auth: {allow_anonymous: true}}
  - match: GET /who
    respond: {body: {json: {claims: "{{ claims.sub }}", key: "{{ headers['x-api-key'] | default('gone') }}"}}}
  - {match: GET /query, to: e, auth: {api_key: {in: {query: key}}}}
  - {match: GET /basic, to: e, auth: {basic: {users: {ann: open-sesame}, realm: shop}}}
  - match: GET /shaped
    to: e
    response: {when: error == "unauthenticated", status: 418, body: {json: {seen: "{{ request.path }}"}}}
"#;

async fn started() -> Gateway {
    Gateway::start(DOCUMENT).await
}

#[tokio::test]
async fn a_key_lets_in_and_does_not_reach_the_function() {
    let mut gateway = started().await;
    let echoed = gateway.get("/echo", &[("x-api-key", "key-of-shop")]).await;
    assert_eq!(echoed.status, 200);
    assert!(!echoed.body.contains("key-of-shop"), "{}", echoed.body);
    assert_eq!(gateway.get("/echo", &[("x-api-key", "secret")]).await.status, 200, "known by its hash");
    let who = gateway.get("/who", &[("x-api-key", "key-of-shop")]).await;
    assert_eq!(who.json(), json!({"claims": "shop", "key": "gone"}));
    let echoed = gateway.get("/query?a=1&key=key-of-shop&b=2", &[]).await;
    assert!(echoed.status == 200 && !echoed.body.contains("key-of-shop"), "{}", echoed.body);
    let line = gateway.says("A request was answered.").await;
    assert_eq!((&line["principal"], &line["status"]), (&json!("shop"), &json!(200)));
    assert!(!gateway.log().contains("key-of-shop"), "{}", gateway.log());
}

#[tokio::test]
async fn without_a_good_key_nobody_comes_in_unless_the_route_says_so() {
    let gateway = started().await;
    let none = gateway.get("/echo", &[]).await;
    let (status, code, detail) = none.refusal();
    assert_eq!((status, &*code), (401, "unauthenticated"));
    assert_eq!(detail, "This needs an API key in the header `x-api-key`.");
    assert!(!none.header("www-authenticate").is_empty());
    let (status, _, detail) = gateway.get("/echo", &[("x-api-key", "guessed")]).await.refusal();
    assert_eq!((status, &*detail), (401, "The API key is not known."));
    assert_eq!(gateway.get("/open", &[]).await.status, 200);
    assert_eq!(gateway.get("/maybe", &[]).await.status, 200);
    assert_eq!(gateway.get("/maybe", &[("x-api-key", "guessed")]).await.status, 401);
    assert_eq!(gateway.get("/nowhere", &[]).await.status, 404, "no route is no secret");
    assert!(!gateway.log().contains("guessed"), "{}", gateway.log());
}

#[tokio::test]
async fn a_response_step_shapes_what_is_answered() {
    let shaped = started().await.get("/shaped", &[]).await;
    assert_eq!((shaped.status, shaped.json()), (418, json!({"seen": "/shaped"})));
}

#[tokio::test]
async fn names_and_passwords_let_in() {
    let gateway = Gateway::start(&DOCUMENT.replace("open-sesame", &format!("'{HASH}', ben: open-sesame"))).await;
    let basic = |pair: &str| format!("Basic {}", STANDARD.encode(pair));
    for pair in ["ann:U*U", "ann:U*U", "ben:open-sesame"] {
        let echoed = gateway.get("/basic", &[("authorization", &basic(pair))]).await;
        assert!(echoed.status == 200 && !echoed.body.contains("Basic "), "{}", echoed.body);
    }
    for pair in ["ann:open-sesame", "ben:U*U", "carl:U*U"] {
        let refused = gateway.get("/basic", &[("authorization", &basic(pair))]).await;
        assert_eq!(refused.refusal().2, "The name or the password is wrong.");
        assert_eq!(refused.header("www-authenticate"), "Basic realm=\"shop\", charset=\"UTF-8\"");
    }
}

#[tokio::test]
async fn the_access_log_knows_who_came_also_where_the_call_fails() {
    let gateway = started().await;
    let key = [("x-api-key", "key-of-shop")];
    assert_eq!(gateway.get("/broken", &key).await.status, 504);
    assert_eq!(gateway.get("/limited", &key).await.status, 200);
    assert_eq!(gateway.get("/limited", &key).await.status, 429);
    assert_eq!(gateway.get("/broken", &[]).await.status, 401);
    let lines = || -> Vec<(Value, Value)> {
        let log = gateway.log();
        let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let lines = lines.filter(|line| line["message"] == "A request was answered.");
        lines.map(|line| (line["status"].clone(), line["principal"].clone())).collect()
    };
    let expected = [(504, "shop"), (200, "shop"), (429, "shop"), (401, "")];
    let expected = expected.map(|(status, principal)| (json!(status), json!(principal)));
    let logged = callgate_testkit::peers::until(crate::gateway::LIMIT, async || lines() == expected);
    assert!(logged.await, "{:?}", lines());
}
