//! The example of the documentation works as it is written.

use std::{io, path::Path};

use callgate_core::{
    Registry,
    document::{Document, References},
    plan::Plan,
};
use callgate_testkit::peers::OpenFaas;

use crate::stage::Stage;

/// The one variable that the page's example reads.
struct Url(String);

impl References for Url {
    fn variable(&self, name: &str) -> Option<String> {
        (name == "OPENFAAS_URL").then(|| self.0.clone())
    }

    fn file(&self, path: &Path) -> io::Result<String> {
        std::fs::read_to_string(path)
    }
}

#[tokio::test]
async fn the_complete_example_serves() {
    let page = include_str!("../../../../docs/upstreams/openfaas.md");
    let example = page.split("```yaml\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    let faas = OpenFaas::start().await.unwrap();
    for name in ["figlet", "get-order", "make-report", "shop-eu"] {
        faas.deploy(OpenFaas::NAMESPACE, name);
    }
    let document = Document::parse("page.yaml", example, &Url(faas.url())).unwrap();
    let plan = Plan::read(&document, &Registry::new().with::<callgate_openfaas::OpenFaas>()).unwrap();
    let stage = Stage::of(plan).await;
    for (path, seen) in [("/figlet/a/b", "/a/b"), ("/orders/7", "/7"), ("/shops/eu", "/")] {
        assert_eq!(stage.get(path).await.json()["path"], seen, "{path}");
    }
    let queued = stage.post("/reports", "{}").await;
    assert_eq!((queued.status, queued.headers.contains_key("x-call-id")), (202, true), "{queued:?}");
    assert_eq!(stage.get("/shops/us").await.failure(), (502, "upstream_denied"));
}
