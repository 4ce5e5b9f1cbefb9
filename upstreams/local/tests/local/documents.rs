//! The documentation's own examples, and what is said of wrong ones.

use std::os::unix::fs::PermissionsExt as _;

use callgate_core::{Registry, plan::Plan};
use callgate_local::Local;

use crate::site::{Files, Site, plan};

#[test]
fn the_example_of_the_readme_is_valid() {
    let readme = include_str!("../../README.md");
    let example = readme.split("```yaml\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let functions = folder.path().join("functions");
    std::fs::create_dir_all(functions.join("search")).unwrap();
    std::fs::write(functions.join("orders.py"), "def create(event, context): pass\n").unwrap();
    std::fs::write(functions.join("search/bootstrap"), "#!/bin/sh\n").unwrap();
    std::fs::set_permissions(functions.join("search/bootstrap"), std::fs::Permissions::from_mode(0o755)).unwrap();
    let file = folder.path().join("callgate.yaml");
    std::fs::write(&file, example).unwrap();
    Plan::load(&file, &Files, &Registry::new().with::<Local>()).unwrap_or_else(|report| panic!("{report}"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_guides_example_works_as_written() {
    let guide = include_str!("../../../../docs/upstreams/local.md");
    let block = |language: &str| guide.split(language).nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("callgate.yaml"), block("```yaml\n")).unwrap();
    std::fs::write(folder.path().join("hello.py"), block("```python\n")).unwrap();
    let site = Site::load(&folder.path().join("callgate.yaml")).await;
    assert_eq!(site.get("/hello/ada").await.json()["message"], "Hello, ada!");
}

#[test]
fn a_function_that_nobody_described_is_told_how() {
    let document = "upstreams: {at: {local: {}}}\nroutes: [{match: GET /, to: at/greet}]\n";
    let message = plan(document).unwrap_err();
    assert!(message.contains("nothing says how to run the function `greet`"), "{message}");
    assert!(message.contains("`command`, or `runtime` and `handler`"), "{message}");

    let document = "upstreams: {at: {local: {}, functions: {a: {command: \"run 'a\"}}}}\nroutes: []\n";
    let message = plan(document).unwrap_err();
    assert!(message.contains("a quote of the command is not closed"), "{message}");
}
