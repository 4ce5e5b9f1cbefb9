//! Users of an operator's accounts, as `nsc` makes them: the claims are signed here, and a real server believes them.

use std::time::Duration;

use callgate_testkit::peers::{NatsRealm, present, until};
use tempfile::TempDir;

use crate::stage::Stage;

const ALLOWED: &[&str] = &["ok.>", "_INBOX.>"];
const FUNCTIONS: &[(&str, &str)] =
    &[("ok", "subject: ok.a"), ("no", "subject: no.a"), ("store", "subject: ok.stored, mode: jetstream")];

/// A gateway that is the user of this credentials file.
async fn stage(realm: &NatsRealm, folder: &TempDir, creds: String) -> Stage {
    let path = folder.path().join("gateway.creds");
    std::fs::write(&path, creds).unwrap();
    let options = format!(", credentials: {{creds_file: \"{}\"}}", path.display());
    Stage::new(&realm.server, &options, FUNCTIONS).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_creds_file_is_the_gateways_identity_with_its_permissions() {
    let Some(realm) = present(NatsRealm::start(false, "").await) else { return };
    let folder = tempfile::tempdir().unwrap();
    let stage = stage(&realm, &folder, realm.creds(ALLOWED, None).unwrap()).await;
    stage.ready().await.unwrap();
    stage.post("/ok/x", "").await.succeeds(202);
    stage.post("/no/x", "").await.fails(502, "upstream_denied");
    // The account has no JetStream.
    stage.post("/store/x", "").await.fails(502, "unroutable");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_creds_file_of_another_account_or_of_the_past_is_refused() {
    let Some(realm) = present(NatsRealm::start(false, "").await) else { return };
    let folder = tempfile::tempdir().unwrap();
    let expired = realm.creds(ALLOWED, Some(1_700_000_001)).unwrap();
    for creds in [expired, NatsRealm::foreign_creds(ALLOWED).unwrap()] {
        let stage = stage(&realm, &folder, creds.clone()).await;
        let denied = async || stage.post("/ok/x", "").await.code.as_deref() == Some("upstream_denied");
        assert!(until(Duration::from_secs(20), denied).await, "{creds}: {:?}", stage.post("/ok/x", "").await);
        let told = stage.ready().await.unwrap_err();
        assert!(!told.contains("-----") && !told.contains("SU"), "{told}");
    }
}
