//! Which functions there are.

use callgate_core::{DiscoverError, Discovered, Snapshot};
use callgate_testkit::peers::{OpenFaas, until};
use tokio::runtime::Handle;

use crate::stage::{LONG, Raw, Stage, credentials, plan, read};

async fn listing(url: &str, options: &str) -> Result<Vec<String>, String> {
    let listing = plan(url, options, "  []\n").unwrap().discover("faas", &Handle::current()).await;
    let listing = listing.map_err(|error| error.to_string())?;
    Ok(listing.functions().iter().map(|function| function.name().to_owned()).collect())
}

#[tokio::test]
async fn the_functions_of_the_upstreams_namespace_are_listed() {
    let faas = OpenFaas::start().await.unwrap();
    faas.deploy("staging", "figlet");
    let login = format!(", {}", credentials());
    let names = listing(&faas.url(), &login).await.unwrap();
    assert!(names.contains(&"mirror".to_owned()) && !names.contains(&"figlet".to_owned()), "{names:?}");
    assert_eq!(listing(&faas.url(), &format!("{login}, namespace: staging")).await.unwrap(), ["figlet"]);
    assert_eq!(listing(&faas.url(), &format!("{login}, namespace: empty")).await.unwrap(), [""; 0]);
}

#[tokio::test]
async fn a_listing_is_pasted_as_it_is() {
    let faas = OpenFaas::start().await.unwrap();
    let options = format!(", {}", credentials());
    let listing = plan(&faas.url(), &options, "  []\n").unwrap().discover("faas", &Handle::current()).await.unwrap();
    let text = listing.to_string();
    assert!(text.starts_with("functions:\n  bare: {name: bare}  # functions/bare:latest\n"), "{text}");
    let block = text.replace('\n', "\n    ");
    let yaml = format!(
        "upstreams:\n  faas:\n    openfaas: {{url: \"{}\"}}\n    {block}\nroutes: [{{match: /a, to: faas/mirror}}]\n",
        faas.url()
    );
    read(&yaml).unwrap();
}

#[tokio::test]
async fn the_password_is_read_from_its_file_at_every_use() {
    let faas = OpenFaas::start().await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("password");
    let options = format!(", credentials: {{basic: {{password_file: \"{}\"}}}}", file.display());
    let missing = plan(&faas.url(), &options, "  []\n").err().unwrap();
    assert!(missing.contains("password can't be read"), "{missing}");
    std::fs::write(&file, "another").unwrap();
    listing(&faas.url(), &options).await.unwrap_err();
    std::fs::write(&file, format!("{}\n", OpenFaas::PASSWORD)).unwrap();
    assert!(listing(&faas.url(), &options).await.unwrap().contains(&"mirror".to_owned()));
}

#[tokio::test]
async fn what_is_no_list_is_told() {
    for (reply, says) in [
        ("HTTP/1.1 401 Unauthorized\r\ncontent-length: 19\r\n\r\ninvalid credentials", "invalid credentials"),
        ("HTTP/1.1 503 Unavailable\r\ncontent-length: 0\r\n\r\n", "answered 503"),
        ("HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\n<html>", "is no list of functions"),
        ("HTTP/1.1 200 OK\r\ncontent-length: 60\r\n\r\n[{\"name\":", "cut off"),
        ("HTTP/1.1 200 OK\r\ncontent-length: 99999999\r\n\r\n[", "larger than the limit"),
    ] {
        let raw = Raw::saying(reply).await;
        let failed = listing(&raw.url(), "").await.unwrap_err();
        assert!(failed.contains(says), "{reply}: {failed}");
    }
}

#[tokio::test]
async fn names_that_no_path_can_have_are_left_out() {
    let body = r#"[{"name":"a/../b"},{"name":"{{ x }}"},{"name":"ok"}]"#;
    let reply = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    let raw = Raw::saying(reply.leak()).await;
    assert_eq!(listing(&raw.url(), "").await.unwrap(), ["ok"]);
}

#[tokio::test]
async fn routes_to_functions_that_are_not_there_are_told_until_they_are() {
    let faas = OpenFaas::start().await.unwrap();
    let yaml = format!(
        "upstreams:\n  faas: {{openfaas: {{url: \"{}\", {}}}, discover: {{every: 1s}}}}\nroutes:\n  - {{match: /a, to: faas/mirror}}\n  - {{match: /b, to: faas/orders}}\n  - {{match: /c, to: faas/mirror.staging}}\n",
        faas.url(),
        credentials()
    );
    let stage = Stage::of(read(&yaml).unwrap()).await;
    let missing = async |snapshot: &Snapshot| {
        let found = snapshot.discovered().await.remove("faas").unwrap().unwrap();
        assert!(found.functions.iter().map(Discovered::name).any(|name| name == "mirror"));
        found.missing.to_string()
    };
    let snapshot = stage.snapshot();
    let told = missing(&snapshot).await;
    assert!(
        told.contains("no function `orders`") && told.contains("routes[1].to") && told.contains("1 error"),
        "{told}"
    );
    faas.deploy(OpenFaas::NAMESPACE, "orders");
    assert!(until(LONG, async || !missing(&snapshot).await.contains("orders")).await, "it is never seen");
}

#[tokio::test]
async fn a_gateway_that_is_down_lists_nothing_and_says_so() {
    let failed =
        plan(&crate::stage::refusing().await, "", "  []\n").unwrap().discover("faas", &Handle::current()).await;
    assert!(matches!(failed, Err(DiscoverError::Failed { .. })), "{failed:?}");
}
