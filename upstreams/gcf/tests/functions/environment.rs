//! Credentials of the environment, in a process with an environment of its own.

use std::process::Command;

use callgate_testkit::peers::{GoogleTokens, http::Server, present};
use serde_json::json;

use crate::stage::Stage;

const INNER: &str = "environment::in_an_environment_of_its_own";

/// Calls a function and prints the token that arrived there, and where.
#[tokio::test]
#[ignore = "the test below runs it with an environment of its own"]
#[allow(clippy::print_stdout, reason = "the other process reads it")]
async fn in_an_environment_of_its_own() {
    let server = Server::start().await.unwrap();
    let stage = Stage::one(&format!("{{url: \"{}/echo\"}}", server.url())).await;
    let echo = stage.get("/").await.json();
    let headers = echo["headers"].as_array().unwrap();
    let token = headers.iter().find(|pair| pair[0] == "authorization").unwrap()[1].as_str().unwrap();
    println!("\n{}", json!({"token": token, "audience": format!("{}/echo", server.url())}));
}

/// What the inner test printed.
fn inner(variables: &[(&str, &str)]) -> serde_json::Value {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", INNER, "--ignored", "--nocapture"]).envs(variables.iter().copied());
    for name in ["GOOGLE_APPLICATION_CREDENTIALS", "CLOUDSDK_CONFIG", "GCE_METADATA_HOST", "HOME"] {
        if !variables.iter().any(|(set, _)| *set == name) {
            command.env_remove(name);
        }
    }
    let output = command.output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let line = text.lines().find(|line| line.starts_with('{'));
    serde_json::from_str(line.unwrap_or_else(|| panic!("{text}{}", String::from_utf8_lossy(&output.stderr)))).unwrap()
}

async fn email(peer: &GoogleTokens, printed: &serde_json::Value) -> serde_json::Value {
    let token = printed["token"].as_str().unwrap().strip_prefix("Bearer ").unwrap();
    peer.verify(token, printed["audience"].as_str().unwrap()).await.unwrap()["email"].clone()
}

#[tokio::test]
async fn the_variables_of_googles_libraries_say_who_the_gateway_is() {
    let Some(peer) = present(GoogleTokens::start().await) else { return };
    let metadata = inner(&[("GCE_METADATA_HOST", peer.host())]);
    assert_eq!(email(&peer, &metadata).await, json!(peer.machine));
    let file = peer.credentials("file_sourced");
    let federation = inner(&[("GOOGLE_APPLICATION_CREDENTIALS", file.to_str().unwrap())]);
    assert_eq!(email(&peer, &federation).await, json!(peer.invoker));
}
