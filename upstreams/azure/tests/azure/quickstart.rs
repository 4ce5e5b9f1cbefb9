//! The page of the kind works as it is written.

use std::{io, path::Path};

use callgate_core::document::References;
use callgate_testkit::peers::{AzureHost, present};

use crate::bed::Bed;

const PAGE: &str = include_str!("../../../../docs/upstreams/azure.md");

/// The variables of someone who follows the page.
struct Shell {
    url: String,
}

impl References for Shell {
    fn variable(&self, name: &str) -> Option<String> {
        match name {
            "FUNCTIONS_URL" => Some(self.url.clone()),
            "HELLO_KEY" => Some(AzureHost::HELLO_KEY.to_owned()),
            _ => None,
        }
    }

    fn file(&self, _: &Path) -> io::Result<String> {
        Err(io::ErrorKind::NotFound.into())
    }
}

#[tokio::test]
async fn the_start_of_the_page_calls_a_function() {
    let Some(host) = present(AzureHost::start().await) else { return };
    let document = PAGE.split("```yaml\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    let bed = Bed::with(document, &Shell { url: host.url.clone() }).await.unwrap();
    let answer = bed.get("/hello/ada?x=1").await;
    answer.is_reply(201);
    let seen = answer.json();
    assert!(seen["url"].as_str().unwrap().ends_with("/api/hello/ada?x=1"), "{seen}");
    assert_eq!((&seen["route"]["name"], &seen["params"]["x"]), (&"ada".into(), &"1".into()));
}
