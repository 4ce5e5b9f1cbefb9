//! The dashboard in a real browser: `tests/peers/dashboard.mjs` drives it and looks at it.

use std::process::Command;

use callgate_testkit::peers::{absent, documents, present};

use crate::gateway::Gateway;

/// Where Debian puts it.
const CHROMIUM: &str = "/usr/bin/chromium";

const DOCUMENT: &str = "
upstreams: {shop: {echo: {}}, stock: {echo: {}}}
routes:
  - {name: orders, match: 'POST /orders/{id}', to: shop, request: {headers: {set: {x-order: '{{ params.id }}'}}}, response: {status: 201}}
  - {match: GET /stock, to: stock}
  - {name: broken, match: GET /broken, to: {upstream: stock, fail: upstream_unreachable}}
  - {match: GET /ping, respond: {status: 200, body: {text: pong}}}
hosts: {'*.shop.example': {routes: [{match: '/a/very/long/path/{with}/captures/and/{*rest}', to: shop}]}}
";

#[tokio::test]
async fn people_can_use_it_with_a_keyboard_and_on_a_phone() {
    let Some(playwright) = present(documents("playwright-core")) else { return };
    if !std::path::Path::new(CHROMIUM).exists() {
        return absent(format!("{CHROMIUM} is not installed"));
    }
    let gateway = Gateway::guarded(DOCUMENT, "open-sesame").await;
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/peers/dashboard.mjs");
    let pictures = std::env::temp_dir().join("callgate-dashboard");
    let browsing = tokio::task::spawn_blocking({
        let (public, admin, config) = (gateway.public, gateway.admin, gateway.folder().join("callgate.yaml"));
        move || {
            let mut node = Command::new("node");
            node.arg(script).arg(playwright).arg(CHROMIUM);
            node.args([format!("http://{admin}/"), format!("http://{public}"), "open-sesame".to_owned()]);
            node.arg(pictures).arg(config).output()
        }
    });
    let done = browsing.await.unwrap().unwrap();
    let said = String::from_utf8_lossy(&done.stdout).into_owned() + &String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{said}");
}
