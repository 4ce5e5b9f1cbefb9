//! Tokens of Microsoft Entra, by each identity, checked by the endpoint that issues them and by the app that takes them.

use std::fmt::Write;

use callgate_core::Body;
use callgate_testkit::peers::{AzureEntra, AzureHost, present};
use http::Request;
use serde_json::{Value, json};

use crate::bed::{Answer, Bed};

/// A host whose app requires sign-in, and the Entra that it trusts.
pub(crate) struct Site {
    pub(crate) host: AzureHost,
    pub(crate) entra: AzureEntra,
}

impl Site {
    /// `None` where the peers are not installed, which is then said.
    pub(crate) async fn start() -> Option<Self> {
        let entra = present(AzureEntra::start().await)?;
        let host = present(AzureHost::start().await)?;
        host.behave(json!({"sign_in": entra.sign_in().await.unwrap()})).await.unwrap();
        Some(Self { host, entra })
    }

    /// A gateway before the app, whose tokens come by these options of `entra`.
    pub(crate) async fn bed(&self, entra: &str) -> Bed {
        Bed::start(&self.document(entra)).await
    }

    pub(crate) fn document(&self, entra: &str) -> String {
        let mut yaml = String::from("upstreams:\n  fns:\n    azure:\n");
        write!(
            yaml,
            "      url: \"{}\"\n      credentials: {{entra: {{audience: \"{}\", {entra}}}}}\n",
            self.host.url,
            AzureEntra::AUDIENCE
        )
        .unwrap();
        yaml + "routes:\n  - {match: \"/open/{*rest}\", to: fns/open}\n"
    }

    /// The options of a client secret, with the authority's TLS.
    pub(crate) fn secret(&self) -> String {
        format!("{}, tls: {{ca: \"{}\"}}", self.secret_at(&self.entra.https.url), self.entra.https.ca.display())
    }

    pub(crate) fn secret_at(&self, authority: &str) -> String {
        format!("authority: \"{authority}\", client_secret: {}", client_secret(AzureEntra::SECRET))
    }

    fn metadata(&self) -> String {
        format!("managed_identity: true, authority: \"{}\"", self.entra.http)
    }

    fn federated(&self, file: &std::path::Path) -> String {
        format!(
            "authority: \"{}\", workload_identity: {{tenant_id: {}, client_id: {}, token_file: \"{}\"}}",
            self.entra.http,
            AzureEntra::TENANT,
            AzureEntra::CLIENT,
            file.display()
        )
    }
}

fn client_secret(secret: &str) -> String {
    format!("{{tenant_id: {}, client_id: {}, secret: \"{secret}\"}}", AzureEntra::TENANT, AzureEntra::CLIENT)
}

/// Who the app says has signed in.
#[track_caller]
fn signed_in(answer: &Answer) -> String {
    answer.is_reply(200);
    answer.json()["headers"]["x-ms-client-principal-id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_client_secret_brings_a_token_that_the_app_takes() {
    let Some(site) = Site::start().await else { return };
    for options in [site.secret(), site.secret_at(&site.entra.http)] {
        let bed = site.bed(&options).await;
        bed.ready("fns").await.unwrap();
        assert_eq!(signed_in(&bed.get("/open/x").await), AzureEntra::CLIENT);
    }
    let asked = site.entra.asked().await.unwrap();
    assert_eq!(asked.len(), 2, "{asked:?}");
    assert_eq!(asked[0]["form"]["client_secret"], AzureEntra::SECRET);
}

#[tokio::test]
async fn the_clients_own_authorization_never_reaches_an_app_with_an_identity() {
    let Some(site) = Site::start().await else { return };
    let bed = site.bed(&site.metadata()).await;
    let request = Request::get("/open/x?code=k").header("authorization", "Bearer of-the-client");
    let request = request.header("x-functions-key", "k").header("x-ms-client-principal-id", "forged");
    let answer = bed.send(request.body(Body::empty()).unwrap()).await;
    assert_eq!(signed_in(&answer), AzureEntra::CLIENT);
    let headers = &answer.json()["headers"];
    let token = headers["authorization"].as_str().unwrap();
    assert!(token.starts_with("Bearer eyJ"), "{token}");
    assert_eq!(headers["x-functions-key"], Value::Null);
}

#[tokio::test]
async fn a_managed_identity_is_the_machines_own_or_one_of_several() {
    let Some(site) = Site::start().await else { return };
    let bed = site.bed(&site.metadata()).await;
    assert_eq!(signed_in(&bed.get("/open/x").await), AzureEntra::CLIENT);
    let one = format!("managed_identity: {{client_id: {}}}, authority: \"{}\"", AzureEntra::ASSIGNED, site.entra.http);
    let bed = site.bed(&one).await;
    assert_eq!(signed_in(&bed.get("/open/x").await), AzureEntra::ASSIGNED);
    let unknown = format!("managed_identity: {{client_id: nobody}}, authority: \"{}\"", site.entra.http);
    let bed = site.bed(&unknown).await;
    bed.get("/open/x").await.is_problem(502, "upstream_denied");
    assert!(bed.ready("fns").await.unwrap_err().contains("Identity not found"));
}

#[tokio::test]
async fn a_workload_identity_shows_the_token_that_the_file_holds_at_the_time() {
    let Some(site) = Site::start().await else { return };
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    let bed = site.bed(&site.federated(&file)).await;
    bed.get("/open/x").await.is_problem(502, "upstream_denied");
    let message = bed.ready("fns").await.unwrap_err();
    assert!(message.contains(&file.display().to_string()), "{message}");
    for wrong in [json!({"forged": true}), json!({"life": -60}), json!({"audience": "api://other"})] {
        std::fs::write(&file, site.entra.assertion(wrong.clone()).await.unwrap()).unwrap();
        let bed = site.bed(&site.federated(&file)).await;
        bed.get("/open/x").await.is_problem(502, "upstream_denied");
        let message = bed.ready("fns").await.unwrap_err();
        assert!(message.contains("AADSTS700027"), "{wrong}: {message}");
    }
    std::fs::write(&file, site.entra.assertion(json!({})).await.unwrap() + "\n").unwrap();
    let healed = async || bed.get("/open/x").await.status == 200;
    assert!(callgate_testkit::peers::until(crate::bed::LONG, healed).await, "the first gateway reads it again");
    assert_eq!(signed_in(&bed.get("/open/x").await), AzureEntra::CLIENT);
}

#[tokio::test]
async fn a_refused_identity_is_the_gateways_own_failure() {
    let Some(site) = Site::start().await else { return };
    let wrong = format!("authority: \"{}\", client_secret: {}", site.entra.http, client_secret("hush-wrong"));
    let bed = site.bed(&wrong).await;
    let answer = bed.get("/open/x").await;
    answer.is_problem(502, "upstream_denied");
    let told = String::from_utf8_lossy(&answer.body).into_owned();
    assert!(!told.contains("AADSTS") && !told.contains("127.0.0.1") && !told.contains("hush"), "{told}");
    let message = bed.ready("fns").await.unwrap_err();
    assert!(message.contains("AADSTS7000215") && !message.contains("hush"), "{message}");
}

#[tokio::test]
async fn a_token_for_another_app_is_refused_by_the_app_and_passes_as_its_reply() {
    let Some(site) = Site::start().await else { return };
    let mut sign_in = site.entra.sign_in().await.unwrap();
    sign_in["audience"] = json!("api://another");
    site.host.behave(json!({"sign_in": sign_in})).await.unwrap();
    let bed = site.bed(&site.metadata()).await;
    let answer = bed.get("/open/x").await;
    answer.is_reply(401);
    assert!(answer.header("www-authenticate").unwrap().starts_with("Bearer realm="), "{answer:?}");
}

#[tokio::test]
async fn keys_and_an_identity_may_go_together() {
    let Some(site) = Site::start().await else { return };
    let document = site.document(&site.metadata());
    let keys = document
        .replace("credentials: {entra", &format!("credentials: {{host_key: \"{}\", entra", AzureHost::HOST_KEY));
    let bed = Bed::start(&keys.replace("fns/open", "{upstream: fns, function: hello}")).await;
    let answer = bed.get("/open/x").await;
    answer.is_reply(201);
    let headers = &answer.json()["headers"];
    assert_eq!(headers["x-functions-key"], AzureHost::HOST_KEY);
    assert_eq!(headers["x-ms-client-principal-id"], AzureEntra::CLIENT);
}
