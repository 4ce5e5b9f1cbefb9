//! Signed tokens of an issuer, good ones and bad.

use callgate_testkit::peers::{Issuer, present};
use serde_json::json;

use crate::gateway::Gateway;

fn document(issuer: &Issuer) -> String {
    let url = &issuer.url;
    format!(
        r#"
upstreams: {{e: {{echo: {{}}}}}}
defaults: {{auth: {{oidc: {{issuer: "{url}", audience: shop}}}}}}
routes:
  - match: GET /who
    respond: {{body: {{json: {{sub: "{{{{ claims.sub }}}}", roles: "{{{{ claims.roles }}}}"}}}}}}
  - {{match: GET /admin, to: e, auth: {{oidc: {{claims: {{roles: admin}}}}}}}}
  - {{match: GET /keys, to: e, auth: {{jwt: {{issuer: "{url}", audience: shop, jwks: "{url}/keys?of=all", algorithms: ES256}}}}}}
"#
    )
}

async fn bearer(gateway: &Gateway, target: &str, token: &str) -> crate::gateway::Reply {
    gateway.get(target, &[("authorization", &format!("Bearer {token}"))]).await
}

#[tokio::test]
async fn tokens_of_a_provider_let_in_by_every_algorithm() {
    let Some(issuer) = present(Issuer::start().await) else { return };
    for algorithm in ["RS256", "PS256", "ES256", "ES384", "EdDSA"] {
        issuer.key(algorithm, algorithm).await.unwrap();
    }
    let gateway = Gateway::start(&document(&issuer)).await;
    for algorithm in ["RS256", "PS256", "ES256", "ES384", "EdDSA"] {
        let token =
            issuer.token("sign", json!({"id": algorithm, "claims": {"roles": ["admin", algorithm]}})).await.unwrap();
        let who = bearer(&gateway, "/who", &token).await;
        assert_eq!(who.json(), json!({"sub": "ann", "roles": ["admin", algorithm]}), "{algorithm}");
        assert_eq!(bearer(&gateway, "/admin", &token).await.status, 200, "{algorithm}");
        let status = bearer(&gateway, "/keys", &token).await.status;
        assert_eq!(status, if algorithm == "ES256" { 200 } else { 401 }, "{algorithm}");
        assert!(!gateway.log().contains(&token), "a token is in the log");
    }
    let unnamed = issuer.token("sign", json!({"id": "ES384", "claims": {"roles": []}, "named": false})).await.unwrap();
    assert_eq!(bearer(&gateway, "/who", &unnamed).await.status, 200);
    let (status, code, detail) = bearer(&gateway, "/admin", &unnamed).await.refusal();
    assert_eq!((status, &*code, &*detail), (403, "forbidden", "The token's claim `roles` does not allow this."));
}

#[tokio::test]
async fn bad_tokens_are_refused_and_told_why() {
    let Some(issuer) = present(Issuer::start().await) else { return };
    issuer.key("a", "RS256").await.unwrap();
    let gateway = Gateway::start(&document(&issuer)).await;
    let sign = |claims: serde_json::Value, lifetime: i64| {
        issuer.token("sign", json!({"id": "a", "claims": claims, "lifetime": lifetime}))
    };
    for (token, part) in [
        (sign(json!({}), -31).await.unwrap(), "has expired"),
        (sign(json!({"exp": null}), 0).await.unwrap(), "when it expires"),
        (sign(json!({"aud": "bank"}), 60).await.unwrap(), "another audience"),
        (sign(json!({"aud": null}), 60).await.unwrap(), "whom it is for"),
        (sign(json!({"iss": "https://evil.example"}), 60).await.unwrap(), "another issuer"),
        (issuer.token("unsigned", json!({"claims": {}})).await.unwrap(), "in a way that is not taken"),
        (issuer.token("confused", json!({"id": "a", "claims": {}})).await.unwrap(), "in a way that is not taken"),
        (sign(json!({"note": "x".repeat(17 << 10)}), 60).await.unwrap(), "too long"),
        ("e30.e30.e30".to_owned(), "no signed token"),
    ] {
        let refused = bearer(&gateway, "/who", &token).await;
        let (status, code, detail) = refused.refusal();
        assert!(status == 401 && code == "unauthenticated" && detail.contains(part), "{part}: {detail}");
        assert!(refused.header("www-authenticate").starts_with("Bearer error=\"invalid_token\""), "{refused:?}");
    }
    let none = gateway.get("/who", &[]).await;
    assert_eq!(
        (none.refusal().2.as_str(), none.header("www-authenticate")),
        ("This needs a token (Bearer).", "Bearer")
    );
    assert_eq!(
        bearer(&gateway, "/who", &sign(json!({"roles": []}), -20).await.unwrap()).await.status,
        200,
        "within the leeway"
    );
}

#[tokio::test]
async fn keys_change_while_tokens_come() {
    let Some(issuer) = present(Issuer::start().await) else { return };
    issuer.key("old", "ES256").await.unwrap();
    let gateway = Gateway::start(&document(&issuer)).await;
    let old = issuer.token("sign", json!({"id": "old", "claims": {"roles": []}})).await.unwrap();
    assert_eq!(bearer(&gateway, "/who", &old).await.status, 200);
    issuer.key("new", "ES256").await.unwrap();
    issuer.withdraw("old").await.unwrap();
    let new = issuer.token("sign", json!({"id": "new", "claims": {"roles": []}, "lifetime": 600})).await.unwrap();
    let asked = issuer.requests().await.unwrap();
    // The keys were asked for less than ten seconds ago, so that the new one is found some time later.
    let found = callgate_testkit::peers::until(crate::gateway::LIMIT, async || {
        bearer(&gateway, "/who", &new).await.status == 200
    });
    assert!(found.await, "{}", gateway.log());
    let more = issuer.requests().await.unwrap() - asked;
    assert!((2..=12).contains(&more), "{more} questions for one change");
    assert!(bearer(&gateway, "/who", &old).await.refusal().2.contains("does not publish"));
}

#[tokio::test]
async fn the_last_keys_serve_while_the_issuer_is_down_and_without_keys_it_is_said() {
    let Some(issuer) = present(Issuer::start().await) else { return };
    issuer.key("a", "ES256").await.unwrap();
    let token = issuer.token("sign", json!({"id": "a", "claims": {"roles": []}, "lifetime": 600})).await.unwrap();
    let gateway = Gateway::start(&document(&issuer)).await;
    assert_eq!(bearer(&gateway, "/who", &token).await.status, 200);
    issuer.fail(true).await.unwrap();
    assert_eq!(bearer(&gateway, "/who", &token).await.status, 200);
    let late = Gateway::start(&document(&issuer)).await;
    let (status, code, detail) = bearer(&late, "/who", &token).await.refusal();
    assert_eq!((status, &*code), (503, "upstream_unavailable"));
    assert!(!detail.contains(&issuer.url), "{detail}");
    assert_eq!(late.get("/who", &[]).await.status, 401, "who shows nothing needs no keys");
    issuer.fail(false).await.unwrap();
    let healed = callgate_testkit::peers::until(crate::gateway::LIMIT, async || {
        bearer(&late, "/who", &token).await.status == 200
    });
    assert!(healed.await, "{}", late.log());
}
