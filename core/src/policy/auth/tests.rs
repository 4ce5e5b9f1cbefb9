//! Methods alone and together, on requests without a gateway.

use std::{path::Path, sync::Arc, time::SystemTime};

use base64::{Engine, engine::general_purpose::STANDARD};
use http::{Method as HttpMethod, Version, header, request::Parts, uri::Scheme};
use jsonwebtoken::{Algorithm as Signed, EncodingKey, Header, jwk::Jwk};
use serde_json::{Value, from_value, json};
use tokio::time::Instant;

use super::*;
use crate::{
    document::NamedFiles,
    gateway::context,
    invocation::{Origin, RouteInfo},
    policy::{PolicySettings, settings::Inherit},
    remote::{NoRemotes, Remotes},
    request_id::RequestId,
    respond::Code,
    routing::Captures,
    upstream::{Context, Files},
};

/// A signer of tokens with its key, P-256.
struct Signer {
    key: EncodingKey,
    jwk: Value,
}

impl Signer {
    fn new(id: &str) -> Self {
        let pair = rcgen::KeyPair::generate().unwrap();
        let key = EncodingKey::from_ec_der(&pair.serialize_der());
        let mut jwk = serde_json::to_value(Jwk::from_encoding_key(&key, Signed::ES256).unwrap()).unwrap();
        jwk["kid"] = id.into();
        Self { key, jwk }
    }

    fn sign(&self, id: Option<&str>, claims: &Value) -> String {
        let mut header = Header::new(Signed::ES256);
        header.kid = id.map(ToOwned::to_owned);
        jsonwebtoken::encode(&header, claims, &self.key).unwrap()
    }
}

fn now() -> u64 {
    jsonwebtoken::get_current_timestamp()
}

fn good() -> Value {
    json!({"iss": "issuer", "aud": ["me", "you"], "sub": "ann", "exp": now() + 60, "role": "admin"})
}

fn auth(settings: Value, directory: &Path) -> Auth {
    auth_after(&Passwords::default(), settings, directory)
}

/// After a reload, which the passwords outlive.
fn auth_after(passwords: &Passwords, settings: Value, directory: &Path) -> Auth {
    let settings: AuthSettings = from_value(settings).unwrap();
    let plan = settings.resolve(&Files::new(directory)).unwrap().unwrap();
    let remotes: Arc<dyn Remotes> = Arc::new(NoRemotes);
    let policies = Context::new("policies", directory, tokio::runtime::Handle::current());
    Auth::new(&plan, &Sources::new(&remotes, &policies, (&LastKeys::default(), passwords))).unwrap()
}

fn plain(settings: Value) -> Auth {
    auth(settings, Path::new("."))
}

fn request(uri: &str, headers: &[(&str, &str)]) -> Parts {
    let mut request = http::Request::builder().uri(uri);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(()).unwrap().into_parts().0
}

async fn admitted(auth: &Auth, parts: &mut Parts) -> Result<Identity, Denial> {
    let info = Arc::new(RouteInfo { name: "route".into(), path: "/".into(), tail: None });
    let origin = Origin {
        client: None,
        scheme: Scheme::HTTP,
        host: None,
        method: HttpMethod::GET,
        version: Version::HTTP_11,
        received: SystemTime::now(),
        started: Instant::now().into_std(),
        certificate: None,
    };
    let policies = PolicySettings::default().resolve();
    let call = context(&info, &policies, origin, RequestId::random().into(), &parts.uri, Captures::default());
    auth.admit(parts, &call).await
}

async fn refused(auth: &Auth, headers: &[(&str, &str)]) -> (Code, String, Vec<String>) {
    let refusal = admitted(auth, &mut request("/", headers)).await.unwrap_err();
    let challenges = refusal.headers.get_all(header::WWW_AUTHENTICATE).iter();
    let challenges = challenges.map(|value| value.to_str().unwrap().to_owned()).collect();
    (refusal.code, refusal.detail.into_owned(), challenges)
}

fn basic(pair: &str) -> String {
    format!("Basic {}", STANDARD.encode(pair))
}

#[tokio::test]
async fn a_key_lets_its_holder_in_and_is_taken_out() {
    let auth = plain(json!({"api_key": {"keys": {"shop": "k-1", "bank": "k-2"}}}));
    let mut parts = request("/", &[("x-api-key", "k-2")]);
    let identity = admitted(&auth, &mut parts).await.unwrap();
    assert_eq!((identity.principal(), identity.api_key()), (Some("bank"), Some("bank")));
    assert!(parts.headers.is_empty());
    let (code, detail, challenges) = refused(&auth, &[("x-api-key", "k-3")]).await;
    assert_eq!((code, &*detail, challenges.len()), (Code::Unauthenticated, "The API key is not known.", 1));
    let (_, detail, _) = refused(&auth, &[]).await;
    assert_eq!(detail, "This needs an API key in the header `x-api-key`.");

    let auth = plain(json!({"api_key": {"in": {"query": "key"}, "keys": {"shop": "k-1"}, "keep": true}}));
    let mut parts = request("/a?key=k-1", &[]);
    assert!(admitted(&auth, &mut parts).await.is_ok() && parts.uri == "/a?key=k-1");
}

#[tokio::test]
async fn passwords_are_checked_whatever_their_form() {
    let slow = bcrypt::hash("slow", 4).unwrap();
    let auth = plain(json!({"basic": {"users": {"ann": "fast", "ben": slow}, "realm": "shop"}}));
    for (pair, name) in [("ann:fast", "ann"), ("ben:slow", "ben"), ("ben:slow", "ben")] {
        let mut parts = request("/", &[("authorization", &basic(pair))]);
        assert_eq!(admitted(&auth, &mut parts).await.unwrap().principal(), Some(name));
        assert!(parts.headers.is_empty());
    }
    for pair in ["ann:slow", "ben:fast", "ben:Slow", "carl:fast", "ann"] {
        let (code, detail, challenges) = refused(&auth, &[("authorization", &basic(pair))]).await;
        assert_eq!((code, &*detail), (Code::Unauthenticated, "The name or the password is wrong."), "{pair}");
        assert_eq!(challenges, ["Basic realm=\"shop\", charset=\"UTF-8\""]);
    }
    let (_, detail, _) = refused(&auth, &[("authorization", "Bearer x")]).await;
    assert_eq!(detail, "This needs a name and a password (Basic).");
}

#[tokio::test]
async fn a_password_that_was_right_is_not_computed_again_after_a_reload() {
    let passwords = Passwords::default();
    let settings = json!({"basic": {"users": {"ann": bcrypt::hash("slow", 4).unwrap()}}});
    let former = auth_after(&passwords, settings.clone(), Path::new("."));
    let credentials = basic("ann:slow");
    let shown = || request("/", &[("authorization", &credentials)]);
    admitted(&former, &mut shown()).await.unwrap();
    let next = auth_after(&passwords, settings, Path::new("."));
    drop(former);
    // Whatever waits is computed, and of this many some would be refused.
    let all = (0..200).map(|_| async { admitted(&next, &mut shown()).await.map(drop) });
    for answered in futures_util::future::join_all(all).await {
        assert!(answered.is_ok());
    }
    let other = json!({"basic": {"users": {"ann": bcrypt::hash("other", 4).unwrap()}}});
    let other = auth_after(&passwords, other, Path::new("."));
    assert!(admitted(&other, &mut shown()).await.is_err());
}

#[test]
fn a_file_of_keys_is_watched() {
    let signer = Signer::new("a");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("keys.json");
    std::fs::write(&file, json!({"keys": [signer.jwk]}).to_string()).unwrap();
    let all = Arc::<NamedFiles>::default();
    let settings = json!({"any": [{"jwt": {"issuer": "*", "audience": "*", "jwks": "keys.json"}}]});
    let settings: AuthSettings = from_value(settings).unwrap();
    settings.resolve(&Files::within(folder.path(), Arc::clone(&all))).unwrap();
    assert!(all.changed().is_empty());
    std::fs::write(&file, "{\"keys\": []}").unwrap();
    assert_eq!(all.changed(), [file]);
}

/// A folder with the keys of a signer, and what takes its tokens.
fn with_keys(signer: &Signer, more: &Value) -> (tempfile::TempDir, Auth) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("keys.json"), json!({"keys": [signer.jwk]}).to_string()).unwrap();
    let mut settings = json!({"issuer": "issuer", "audience": "me", "jwks": "keys.json"});
    settings.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let auth = auth(json!({"jwt": settings}), folder.path());
    (folder, auth)
}

#[tokio::test]
async fn a_token_tells_who_comes() {
    let signer = Signer::new("a");
    let (_folder, auth) = with_keys(&signer, &json!({"claims": {"role": {"any": ["admin", "root"]}}}));
    for id in [Some("a"), None] {
        let token = format!("Bearer {}", signer.sign(id, &good()));
        let mut parts = request("/", &[("authorization", &token)]);
        let identity = admitted(&auth, &mut parts).await.unwrap();
        assert_eq!((identity.principal(), &identity.claims().unwrap()["role"]), (Some("ann"), &json!("admin")));
        assert_eq!(parts.headers["authorization"], token, "it is kept");
    }
    let mut clerk = good();
    clerk["role"] = "clerk".into();
    let token = format!("Bearer {}", signer.sign(Some("a"), &clerk));
    let (code, detail, challenges) = refused(&auth, &[("authorization", &token)]).await;
    assert_eq!((code, &*detail), (Code::Forbidden, "The token's claim `role` does not allow this."));
    assert_eq!(challenges, ["Bearer error=\"insufficient_scope\""]);
}

#[tokio::test]
async fn a_token_may_be_in_a_cookie() {
    let signer = Signer::new("a");
    let (_folder, auth) = with_keys(&signer, &json!({"in": {"cookie": "session"}, "keep": false}));
    let cookie = format!("a=1; session={}", signer.sign(Some("a"), &good()));
    let mut parts = request("/", &[("cookie", &cookie)]);
    assert!(admitted(&auth, &mut parts).await.is_ok());
    assert_eq!(parts.headers["cookie"], "a=1");
}

#[tokio::test]
async fn what_is_wrong_with_a_token_is_told() {
    let (signer, stranger) = (Signer::new("a"), Signer::new("a"));
    let (_folder, auth) = with_keys(&signer, &json!({}));
    let with = |name: &str, value: Value| {
        let mut claims = good();
        claims[name] = value;
        signer.sign(Some("a"), &claims)
    };
    let without = |name: &str| {
        let mut claims = good();
        claims.as_object_mut().unwrap().remove(name);
        signer.sign(Some("a"), &claims)
    };
    let unsigned = |alg: &str| {
        let part = |value: Value| base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(value.to_string());
        format!("{}.{}.", part(json!({"alg": alg, "kid": "a"})), part(good()))
    };
    for (token, part) in [
        (with("exp", json!(now() - 31)), "has expired"),
        (with("nbf", json!(now() + 40)), "not valid yet"),
        (with("iss", json!("evil")), "another issuer"),
        (with("aud", json!(["you"])), "another audience"),
        (without("exp"), "when it expires"),
        (without("iss"), "who issued it"),
        (without("aud"), "whom it is for"),
        (stranger.sign(Some("a"), &good()), "signature is not that"),
        (signer.sign(Some("b"), &good()), "does not publish"),
        (unsigned("none"), "in a way that is not taken"),
        (unsigned("HS256"), "in a way that is not taken"),
        (unsigned("RS256"), "does not publish"),
        (unsigned("ES256"), "signature is not that"),
        ("a.b.c".to_owned(), "no signed token"),
        ("a.b".to_owned(), "no signed token"),
        ("x".repeat(LONG), "too long"),
    ] {
        let (code, detail, challenges) = refused(&auth, &[("authorization", &format!("Bearer {token}"))]).await;
        assert!(code == Code::Unauthenticated && detail.contains(part), "{part}: {detail}");
        assert!(challenges[0].starts_with("Bearer error=\"invalid_token\", error_description="), "{challenges:?}");
        assert!(!detail.contains("evil") && !detail.contains("you"), "{detail}");
    }
    let within = with("exp", json!(now() - 20));
    assert!(admitted(&auth, &mut request("/", &[("authorization", &format!("Bearer {within}"))])).await.is_ok());
}

const LONG: usize = (16 << 10) + 1;

#[tokio::test]
async fn any_takes_the_first_that_passes_and_offers_all() {
    let keys = json!({"api_key": {"keys": {"shop": "k"}}});
    let users = json!({"basic": {"users": {"ann": "pw"}}});
    let auth = plain(json!({"any": [keys, users]}));
    let both = basic("ann:pw");
    let mut parts = request("/", &[("authorization", &both), ("x-api-key", "k")]);
    assert_eq!(admitted(&auth, &mut parts).await.unwrap().principal(), Some("shop"));
    assert!(parts.headers.is_empty(), "the function sees none of them");
    let mut parts = request("/", &[("authorization", &both), ("x-api-key", "wrong")]);
    assert_eq!(admitted(&auth, &mut parts).await.unwrap().principal(), Some("ann"));
    let (code, detail, challenges) = refused(&auth, &[]).await;
    assert_eq!((code, challenges.len()), (Code::Unauthenticated, 2));
    assert_eq!(detail, "This needs an API key in the header `x-api-key` or a name and a password (Basic).");
    let (_, detail, _) = refused(&auth, &[("x-api-key", "wrong")]).await;
    assert_eq!(detail, "The API key is not known.");
}

#[tokio::test]
async fn all_needs_every_one_and_knows_what_all_know() {
    let signer = Signer::new("a");
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("keys.json"), json!({"keys": [signer.jwk]}).to_string()).unwrap();
    let keys = json!({"api_key": {"keys": {"shop": "k"}}});
    let tokens = json!({"jwt": {"issuer": "*", "audience": "*", "jwks": "keys.json"}});
    let auth = auth(json!({"all": [keys, tokens], "allow_anonymous": true}), folder.path());
    let token = format!("Bearer {}", signer.sign(None, &json!({"sub": "ann", "exp": now() + 60})));
    let mut parts = request("/", &[("x-api-key", "k"), ("authorization", &token)]);
    let identity = admitted(&auth, &mut parts).await.unwrap();
    assert_eq!((identity.principal(), identity.api_key()), (Some("ann"), None));
    let (code, detail, _) = refused(&auth, &[("x-api-key", "k")]).await;
    assert_eq!((code, &*detail), (Code::Unauthenticated, "This needs a token (Bearer)."));
    assert_eq!(admitted(&auth, &mut request("/", &[])).await.unwrap().principal(), None);
}

#[tokio::test]
async fn nobody_may_come_in_but_wrong_credentials_may_not() {
    let auth = plain(json!({"api_key": {"keys": {"shop": "k"}}, "allow_anonymous": true}));
    assert_eq!(admitted(&auth, &mut request("/", &[])).await.unwrap().principal(), None);
    let (code, _, _) = refused(&auth, &[("x-api-key", "wrong")]).await;
    assert_eq!(code, Code::Unauthenticated);
}

#[test]
fn a_method_is_inherited_field_by_field() {
    let read = |settings: Value| from_value::<AuthSettings>(settings).unwrap();
    let outer =
        read(json!({"jwt": {"issuer": "i", "jwks": "keys.json", "audience": "me", "claims": {"a": 1, "b": 2}}}));
    let merged = |own: Value| serde_json::to_value(read(own).inherit(&outer)).unwrap();
    let own = merged(json!({"jwt": {"audience": "you", "claims": {"b": 3, "c": 4}}}));
    assert_eq!(own["jwt"]["issuer"], "i");
    assert_eq!(own["jwt"]["audience"], "you");
    assert_eq!(own["jwt"]["claims"], json!({"a": "1", "b": "3", "c": "4"}));
    assert_eq!(merged(json!("none")), "none");
    assert_eq!(merged(json!({"allow_anonymous": true}))["jwt"]["audience"], "me");
    let other = merged(json!({"api_key": {"keys": {"a": "k"}}}));
    assert!(other.get("jwt").is_none() && other["api_key"]["keys"]["a"] == "***");
}

#[test]
fn what_lacks_is_told() {
    for (settings, part) in [
        (json!({"api_key": {}}), "no `keys`"),
        (json!({"basic": {"users": {}}}), "no `users`"),
        (json!({"basic": {"users": {"a:b": "x"}}}), "no `:`"),
        (json!({"jwt": {"jwks": "keys.json", "audience": "a"}}), "no `issuer`"),
        (json!({"jwt": {"issuer": "i", "audience": "a"}}), "no `jwks`"),
        (json!({"jwt": {"issuer": "i", "jwks": "https://a/keys"}}), "no `audience`"),
        (json!({"jwt": {"issuer": "i", "jwks": "https://u:p@a/keys", "audience": "a"}}), "user or password"),
        (json!({"jwt": {"issuer": "i", "jwks": "missing.json", "audience": "a"}}), "can't be read"),
        (json!({"oidc": {"issuer": "accounts", "audience": "a"}}), "no URL"),
        (json!({"external": {}}), "no `url`"),
        (json!({"any": []}), "is empty"),
        (
            json!({"api_key": {"keys": {"a": "$2b$04$EGdrhbKUv8Oc9vGiXX0HQOxSg445d458Muh7DAHskb6QbtCvdxcie"}}}),
            "slow hash",
        ),
        (json!({"api_key": {"keys": {"a": "same", "b": "same"}}}), "the same key"),
        (json!({}), "no method"),
    ] {
        let invalid =
            from_value::<AuthSettings>(settings.clone()).unwrap().resolve(&Files::new(Path::new("."))).unwrap_err();
        assert!(invalid.message.contains(part), "{settings}: {invalid}");
    }
    for wrong in [
        json!({"jwt": {}, "api_key": {}}),
        json!("open"),
        json!({"jwt": {"algorithms": ["HS256"]}}),
        json!({"jwt": {"algorithms": ["none"]}}),
        json!({"any": [{"jwt": {}, "api_key": {}}]}),
    ] {
        assert!(from_value::<AuthSettings>(wrong.clone()).is_err(), "{wrong}");
    }
}
