//! Users of an operator's accounts, as `nsc` makes them: the claims are signed here, and a real server believes them.

use std::{path::PathBuf, time::Duration};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use callgate_testkit::peers::{NatsServer, until};
use nkeys::KeyPair;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::stage::{Stage, server};

const FUNCTIONS: &[(&str, &str)] =
    &[("ok", "subject: ok.a"), ("no", "subject: no.a"), ("store", "subject: ok.stored, mode: jetstream")];

/// A token of NATS: claims that `issuer` makes of `subject`.
fn token(issuer: &KeyPair, subject: &str, expires: Option<u64>, nats: &Value) -> String {
    let mut claims = json!({
        "jti": subject, "iat": 1_700_000_000, "iss": issuer.public_key(), "sub": subject, "name": "test", "nats": nats,
    });
    if let Some(expires) = expires {
        claims["exp"] = expires.into();
    }
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let signed = format!("{}.{}", part(&json!({"typ": "JWT", "alg": "ed25519-nkey"})), part(&claims));
    let signature = URL_SAFE_NO_PAD.encode(issuer.sign(signed.as_bytes()).unwrap());
    format!("{signed}.{signature}")
}

/// A server of an operator with one account.
struct Realm {
    server: NatsServer,
    account: KeyPair,
    folder: TempDir,
}

impl Realm {
    async fn start() -> Option<Self> {
        let (operator, system, account) = (KeyPair::new_operator(), KeyPair::new_account(), KeyPair::new_account());
        let operator_token = token(&operator, &operator.public_key(), None, &json!({"type": "operator", "version": 2}));
        let limits = json!({
            "subs": -1, "data": -1, "payload": -1, "imports": -1, "exports": -1, "wildcards": true, "conn": -1, "leaf": -1,
        });
        let claims = json!({"type": "account", "version": 2, "limits": limits});
        let account_token = token(&operator, &account.public_key(), None, &claims);
        let system_token = token(&operator, &system.public_key(), None, &claims);
        let settings = format!(
            "operator: \"{operator_token}\"\nsystem_account: {}\nresolver: MEMORY\n\
             resolver_preload: {{{}: \"{system_token}\", {}: \"{account_token}\"}}",
            system.public_key(),
            system.public_key(),
            account.public_key()
        );
        let server = server(&settings).await?;
        Some(Self { server, account, folder: tempfile::tempdir().unwrap() })
    }

    /// A user's file, as `nsc generate creds` writes it.
    fn creds(&self, name: &str, expires: Option<u64>) -> PathBuf {
        let user = KeyPair::new_user();
        let permissions = json!({"allow": ["ok.>", "_INBOX.>"]});
        let claims = json!({
            "type": "user", "version": 2, "pub": permissions, "sub": {"allow": ["_INBOX.>"]},
            "subs": -1, "data": -1, "payload": -1,
        });
        let token = token(&self.account, &user.public_key(), expires, &claims);
        let text = format!(
            "-----BEGIN NATS USER JWT-----\n{token}\n------END NATS USER JWT------\n\n\
             -----BEGIN USER NKEY SEED-----\n{}\n------END USER NKEY SEED------\n",
            user.seed().unwrap()
        );
        let path = self.folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    async fn stage(&self, creds: &std::path::Path) -> Stage {
        let options = format!(", credentials: {{creds_file: \"{}\"}}", creds.display());
        Stage::new(&self.server, &options, FUNCTIONS).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_creds_file_is_the_gateways_identity_with_its_permissions() {
    let Some(realm) = Realm::start().await else { return };
    let stage = realm.stage(&realm.creds("gateway.creds", None)).await;
    stage.ready().await.unwrap();
    stage.post("/ok/x", "").await.succeeds(202);
    stage.post("/no/x", "").await.fails(502, "upstream_denied");
    // The account has no JetStream.
    stage.post("/store/x", "").await.fails(502, "unroutable");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_creds_file_of_another_account_or_of_the_past_is_refused() {
    let Some(mut realm) = Realm::start().await else { return };
    let expired = realm.creds("expired.creds", Some(1_700_000_001));
    realm.account = KeyPair::new_account();
    let foreign = realm.creds("foreign.creds", None);
    for creds in [expired, foreign] {
        let stage = realm.stage(&creds).await;
        let denied = async || stage.post("/ok/x", "").await.code.as_deref() == Some("upstream_denied");
        assert!(until(Duration::from_secs(20), denied).await, "{creds:?}: {:?}", stage.post("/ok/x", "").await);
        let told = stage.ready().await.unwrap_err();
        assert!(!told.contains("-----") && !told.contains("SU"), "{told}");
    }
}
