//! A Redis server that speaks TLS and lets in only whom its access lists name.

use std::path::PathBuf;

use callgate_testkit::peers::{PeerError, RedisServer, present};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use tempfile::TempDir;

use crate::gateway::Gateway;

/// A server whose certificate an authority of the test has signed. Its user `gateway` may do what limits need and nothing
/// else, and `weak` less than that.
struct Guarded {
    redis: RedisServer,
    folder: TempDir,
}

/// The message of a gateway that can't count with others.
const ALONE: &str = "The shared counters of rate limits can't be asked: `on_failure` holds until they answer.";

impl Guarded {
    async fn start() -> Result<Self, PeerError> {
        let folder = tempfile::tempdir().unwrap();
        let mut authority = CertificateParams::new([]).unwrap();
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let trusted = authority.self_signed(&key).unwrap().pem();
        let issuer = Issuer::new(authority, key);
        let key = KeyPair::generate().unwrap();
        let server = CertificateParams::new(["127.0.0.1".to_owned()]).unwrap().signed_by(&key, &issuer).unwrap();
        let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
        write("ca.pem", &trusted);
        write("server.pem", &server.pem());
        write("key.pem", &key.serialize_pem());
        let settings = format!(
            "tls-cert-file {0}/server.pem\ntls-key-file {0}/key.pem\n\
             user default off\n\
             user gateway on >s3cr3t-value ~callgate:* +evalsha +script|load +get +set +time\n\
             user weak on >s3cr3t-value +ping",
            folder.path().display()
        );
        Ok(Self { redis: RedisServer::start_with(&settings).await?, folder })
    }

    fn authority(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    /// A configuration that counts there.
    fn document(&self, credentials: &str, on_failure: &str) -> String {
        format!(
            "defaults: {{rate_limit: {{shared: 'rediss://{credentials}@127.0.0.1:{}', timeout: 5s, on_failure: {on_failure}}}}}\n\
             routes: [{{name: one, match: GET /a, respond: {{body: {{text: ok}}}}, rate_limit: {{limit: 2/h}}}}]",
            self.redis.port()
        )
    }

    async fn gateway(&self, credentials: &str, on_failure: &str) -> Gateway {
        Gateway::with_variable(&self.document(credentials, on_failure), "SSL_CERT_FILE", &self.authority()).await
    }
}

async fn statuses(gateway: &Gateway, count: usize) -> Vec<u16> {
    let mut statuses = Vec::new();
    for _ in 0..count {
        statuses.push(gateway.get("/a", &[]).await.status);
    }
    statuses
}

/// Why it can't count with others, by its log, which never holds the password.
async fn reason(gateway: &mut Gateway) -> String {
    let reason = gateway.says(ALONE).await["reason"].as_str().unwrap().to_owned();
    assert!(!gateway.log().contains("s3cr3t"), "{}", gateway.log());
    reason
}

#[tokio::test]
async fn gateways_count_together_over_tls_with_a_password() {
    let Some(guarded) = present(Guarded::start().await) else { return };
    let (one, other) =
        (guarded.gateway("gateway:s3cr3t-value", "deny").await, guarded.gateway("gateway:s3cr3t-value", "deny").await);
    assert_eq!(statuses(&one, 1).await, [200]);
    assert_eq!(statuses(&other, 2).await, [200, 429]);
    assert_eq!(statuses(&one, 1).await, [429]);
}

#[tokio::test]
async fn a_wrong_password_is_told_and_on_failure_holds() {
    let Some(guarded) = present(Guarded::start().await) else { return };
    let mut gateway = guarded.gateway("gateway:s3cr3t-wrong", "deny").await;
    let denied = gateway.get("/a", &[]).await;
    assert_eq!((denied.status, denied.header("callgate-error")), (503, "upstream_unavailable"));
    let reason = reason(&mut gateway).await;
    assert!(reason.starts_with("Redis refuses the user or the password of the URL"), "{reason}");
}

#[tokio::test]
async fn a_user_who_may_not_is_told_and_on_failure_holds() {
    let Some(guarded) = present(Guarded::start().await) else { return };
    let mut gateway = guarded.gateway("weak:s3cr3t-value", "local").await;
    assert_eq!(statuses(&gateway, 3).await, [200, 200, 429], "each gateway holds the limit alone");
    let reason = reason(&mut gateway).await;
    assert!(reason.starts_with("Redis does not let the user of the URL do what limits need"), "{reason}");
    assert!(reason.contains("evalsha"), "{reason}");
}

#[tokio::test]
async fn a_certificate_that_nobody_trusts_is_told_and_on_failure_holds() {
    let Some(guarded) = present(Guarded::start().await) else { return };
    let mut gateway = Gateway::start(&guarded.document("gateway:s3cr3t-value", "allow")).await;
    assert_eq!(statuses(&gateway, 4).await, [200; 4]);
    let reason = reason(&mut gateway).await;
    assert!(reason.contains("invalid peer certificate: UnknownIssuer"), "{reason}");
}
