//! Our requests for tokens beside those of azure-identity, Microsoft's own client.

use callgate_testkit::peers::{AzureEntra, PeerError, absent};
use serde_json::{Value, json};

use crate::tokens::Site;

/// Whatever of a request decides about the token.
fn essence(request: &Value) -> Value {
    let mut form = request["form"].clone();
    if let Some(form) = form.as_object_mut() {
        // It asks for an answer about a user, where there is none.
        form.remove("client_info");
    }
    let header = |name: &str| request["headers"][name].clone();
    json!({
        "method": request["method"],
        "path": request["path"],
        "query": request["query"],
        "form": form,
        "content-type": header("content-type"),
    })
}

/// Gets a token by azure-identity, then by the gateway, and compares what they asked.
async fn compared(site: &Site, way: &str, variables: &[(&str, &str)], options: &str) -> Option<(Value, Value)> {
    match site.entra.token_by_azure_identity(way, variables).await {
        Err(missing @ PeerError::Missing { .. }) => {
            absent(missing);
            return None;
        }
        token => assert!(token.unwrap().starts_with("eyJ"), "{way}"),
    }
    let theirs = site.entra.asked().await.unwrap().pop().unwrap();
    let bed = site.bed(options).await;
    bed.get("/open/x").await.is_reply(200);
    let ours = site.entra.asked().await.unwrap().pop().unwrap();
    assert_eq!(essence(&ours), essence(&theirs), "{way}");
    Some((ours, theirs))
}

#[tokio::test]
async fn tokens_are_asked_for_as_microsofts_own_client_does() {
    let Some(site) = Site::start().await else { return };
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    std::fs::write(&file, site.entra.assertion(json!({})).await.unwrap()).unwrap();
    let file = file.to_str().unwrap();
    let application = [
        ("AZURE_TENANT_ID", AzureEntra::TENANT),
        ("AZURE_CLIENT_ID", AzureEntra::CLIENT),
        ("CLIENT_SECRET", AzureEntra::SECRET),
        ("AZURE_FEDERATED_TOKEN_FILE", file),
    ];
    if compared(&site, "secret", &application, &site.secret()).await.is_none() {
        return;
    }
    let federated = format!(
        "authority: \"{}\", workload_identity: {{tenant_id: {}, client_id: {}, token_file: \"{file}\"}}",
        site.entra.http,
        AzureEntra::TENANT,
        AzureEntra::CLIENT
    );
    compared(&site, "federated", &application, &federated).await;
    let moved = [("AZURE_POD_IDENTITY_AUTHORITY_HOST", site.entra.http.as_str())];
    let managed = format!("managed_identity: true, authority: \"{}\"", site.entra.http);
    let (ours, theirs) = compared(&site, "managed", &moved, &managed).await.unwrap();
    assert_eq!((&ours["headers"]["metadata"], &theirs["headers"]["metadata"]), (&json!("true"), &json!("true")));
    let assigned = [moved[0], ("ASSIGNED_CLIENT_ID", AzureEntra::ASSIGNED)];
    let one = format!("managed_identity: {{client_id: {}}}, authority: \"{}\"", AzureEntra::ASSIGNED, site.entra.http);
    compared(&site, "managed", &assigned, &one).await;
}
