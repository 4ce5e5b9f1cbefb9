//! Identities that the environment announces. A process can't change its own safely, so each case is this binary again.

use std::process::Command;

use callgate_testkit::peers::{AzureEntra, AzureHost, present};
use serde_json::json;

use crate::{bed::Bed, tokens::Site};

/// Runs the ignored test below in a process with these variables; it says who the app saw.
async fn signed_in(site: &Site, entra: &str, variables: &[(&str, &str)]) -> Result<String, String> {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "environment::calls_once", "--ignored", "--nocapture"]);
    for name in ["IDENTITY_ENDPOINT", "IDENTITY_HEADER", "AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_AUTHORITY_HOST"] {
        command.env_remove(name);
    }
    command.env("CALLGATE_TEST_DOCUMENT", site.document(entra)).envs(variables.iter().copied());
    let output = tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let line = |start: &str| text.lines().find_map(|line| line.split_once(start)).map(|(_, rest)| rest.to_owned());
    match (line("signed in: "), line("failed: ")) {
        (Some(who), _) => Ok(who),
        (None, Some(why)) => Err(why),
        (None, None) => panic!("{text}{}", String::from_utf8_lossy(&output.stderr)),
    }
}

#[tokio::test]
#[ignore = "it is the other process of the tests beside it"]
#[allow(clippy::disallowed_methods, clippy::print_stdout, reason = "the tests beside it talk to it in this way")]
async fn calls_once() {
    let Ok(document) = std::env::var("CALLGATE_TEST_DOCUMENT") else { return };
    let bed = match Bed::load(&document).await {
        Ok(bed) => bed,
        Err(error) => return println!("failed: {}", error.replace('\n', " ")),
    };
    let answer = bed.get("/open/x").await;
    match bed.ready("fns").await {
        Ok(()) => println!("signed in: {}", answer.json()["headers"]["x-ms-client-principal-id"].as_str().unwrap()),
        Err(error) => println!("failed: {error}"),
    }
}

#[tokio::test]
async fn app_service_names_its_identity_service_and_the_proof_for_it() {
    let Some(site) = Site::start().await else { return };
    let endpoint = ("IDENTITY_ENDPOINT", site.entra.app_service.as_str());
    let proof = ("IDENTITY_HEADER", AzureEntra::IDENTITY_HEADER);
    let one = format!("managed_identity: {{client_id: {}}}", AzureEntra::ASSIGNED);
    let who = signed_in(&site, "managed_identity: true", &[endpoint, proof]).await;
    assert_eq!(who.as_deref(), Ok(AzureEntra::CLIENT));
    assert_eq!(signed_in(&site, &one, &[endpoint, proof]).await.as_deref(), Ok(AzureEntra::ASSIGNED));
    let denied = signed_in(&site, "managed_identity: true", &[endpoint, ("IDENTITY_HEADER", "a-wrong-one")]).await;
    assert!(denied.unwrap_err().contains("the identity header is wrong"));
    let asked = site.entra.asked().await.unwrap();
    assert!(asked.iter().all(|request| request["path"] == "/msi/token"), "{asked:?}");
}

#[tokio::test]
async fn the_metadata_service_and_the_authority_may_be_moved() {
    let Some(site) = Site::start().await else { return };
    let moved = [("AZURE_POD_IDENTITY_AUTHORITY_HOST", site.entra.http.as_str())];
    let who = signed_in(&site, "managed_identity: true", &moved).await;
    assert_eq!(who.as_deref(), Ok(AzureEntra::CLIENT));
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    std::fs::write(&file, site.entra.assertion(json!({})).await.unwrap()).unwrap();
    let variables = [
        ("AZURE_AUTHORITY_HOST", site.entra.http.as_str()),
        ("AZURE_TENANT_ID", AzureEntra::TENANT),
        ("AZURE_CLIENT_ID", AzureEntra::CLIENT),
        ("AZURE_FEDERATED_TOKEN_FILE", file.to_str().unwrap()),
    ];
    let who = signed_in(&site, "workload_identity: true", &variables).await;
    assert_eq!(who.as_deref(), Ok(AzureEntra::CLIENT));
}

#[tokio::test]
async fn what_the_environment_lacks_fails_the_load_with_its_name() {
    let Some(host) = present(AzureHost::start().await) else { return };
    let Some(entra) = present(AzureEntra::start().await) else { return };
    let site = Site { host, entra };
    let why = signed_in(&site, "workload_identity: true", &[("AZURE_FEDERATED_TOKEN_FILE", "/t")]).await.unwrap_err();
    assert!(why.contains("AZURE_TENANT_ID") && why.contains("upstreams.fns.azure"), "{why}");
}
