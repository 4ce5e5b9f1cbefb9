//! `auth: mtls`, through TLS connections of the real binary.

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::{
    certificates::{Authority, Pair},
    running::Running,
};

const DOCUMENT: &str = r#"
listeners:
  public: {address: '127.0.0.1:0', tls: {certificate: a.pem, private_key: a.key, client_ca: ca.pem, client_auth: optional}}
  plain: {address: '127.0.0.1:0'}
defaults: {auth: {mtls: {}}}
routes:
  - {match: GET /who, respond: {body: {json: {sub: "{{ claims.sub }}", issuer: "{{ claims.issuer }}"}}}}
  - {match: GET /billing, respond: {body: {text: "for billing"}}, auth: {mtls: {common_name: billing, san: {dns: "*.internal"}}}}
  - {match: GET /by-name, respond: {body: {text: "{{ claims.sub }}"}}, auth: {mtls: {sub: dns}}}
  - {match: GET /maybe, respond: {body: {text: "{{ claims.sub | default('nobody') }}"}}, auth: {allow_anonymous: true}}
  - {match: GET /open, respond: {body: {text: open}}, auth: none}
  - match: GET /either
    respond: {body: {text: "{{ claims.sub }}"}}
    auth: {any: [{mtls: {common_name: billing}}, {api_key: {keys: {shop: key-of-shop}}}]}
  - match: GET /both
    respond: {body: {text: "{{ claims.sub }} {{ claims.common_name }}"}}
    auth: {all: [{mtls: {}}, {api_key: {keys: {shop: key-of-shop}}}]}
"#;

struct Bed {
    running: Running,
    authority: Authority,
    billing: Pair,
    guest: Pair,
}

impl Bed {
    async fn new() -> Self {
        let authority = Authority::new();
        let server = authority.sign("server", &["a.test"]);
        let (billing, guest) = (authority.sign("billing", &["b.internal"]), authority.sign("guest", &["g.test"]));
        let files = [("a.pem", &*server.pem), ("a.key", &server.key_pem), ("ca.pem", authority.pem())];
        let running = Running::start_with(DOCUMENT, &files).await;
        Self { running, authority, billing, guest }
    }

    /// The status, and all of the answer.
    async fn ask(&mut self, client: Option<&Pair>, path: &str, headers: &str) -> (u16, String) {
        let address = self.running.address("public").await;
        let mut stream = self.authority.connect(address, "a.test", client, rustls::ALL_VERSIONS).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nhost: a\r\n{headers}connection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).await.unwrap();
        let status = text.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap();
        (status, text)
    }

    async fn as_billing(&mut self, path: &str, headers: &str) -> (u16, String) {
        let pair = self.billing.again();
        self.ask(Some(&pair), path, headers).await
    }

    async fn as_guest(&mut self, path: &str, headers: &str) -> (u16, String) {
        let pair = self.guest.again();
        self.ask(Some(&pair), path, headers).await
    }
}

#[tokio::test]
async fn a_certificate_lets_in_and_its_names_are_the_claims() {
    let mut bed = Bed::new().await;
    let (status, text) = bed.as_billing("/who", "").await;
    assert!(status == 200 && text.contains(r#""sub":"billing""#) && text.contains("CN=rcgen"), "{text}");
    let (status, text) = bed.as_billing("/billing", "").await;
    assert!(status == 200 && text.ends_with("for billing"), "{text}");
    let (_, text) = bed.as_guest("/by-name", "").await;
    assert!(text.ends_with("g.test"), "{text}");
}

#[tokio::test]
async fn one_that_is_not_meant_is_refused_with_what_is_wrong_with_it() {
    let mut bed = Bed::new().await;
    let (status, text) = bed.as_guest("/billing", "").await;
    assert!(status == 403 && text.contains("callgate-error: forbidden"), "{text}");
    assert!(text.contains("The certificate's `common_name` does not allow this."), "{text}");
}

#[tokio::test]
async fn a_client_without_a_certificate_is_nobody() {
    let mut bed = Bed::new().await;
    let (status, text) = bed.ask(None, "/who", "").await;
    assert!(status == 401 && text.contains("www-authenticate: ClientCertificate"), "{text}");
    assert!(text.contains("This needs a client certificate."), "{text}");
    let (status, text) = bed.ask(None, "/maybe", "").await;
    assert!(status == 200 && text.ends_with("nobody"), "{text}");
    assert_eq!(bed.ask(None, "/open", "").await.0, 200);
    // A listener without `client_ca` serves the same routes.
    let address = bed.running.address("plain").await;
    let answer = crate::running::ask(address, "GET /who", "").await;
    assert_eq!(answer.status(), Some(401), "{}", answer.text());
}

#[tokio::test]
async fn a_certificate_stands_beside_other_methods() {
    let mut bed = Bed::new().await;
    let key = "x-api-key: key-of-shop\r\n";
    assert!(bed.as_billing("/either", "").await.1.ends_with("billing"));
    assert!(bed.ask(None, "/either", key).await.1.ends_with("shop"));
    assert!(bed.as_guest("/either", key).await.1.ends_with("shop"));
    assert_eq!(bed.as_guest("/either", "").await.0, 403);
    let (status, text) = bed.ask(None, "/either", "").await;
    assert!(status == 401 && text.contains("a client certificate or an API key"), "{text}");
    assert!(bed.as_billing("/both", key).await.1.ends_with("shop billing"));
    assert_eq!(bed.as_billing("/both", "").await.0, 401);
    assert_eq!(bed.ask(None, "/both", key).await.0, 401);
}
