//! The quickstart of the kind's page, as it is written.

use callgate_testkit::peers::{Function, FunctionsFramework, present};

use crate::stage::Stage;

const PAGE: &str = include_str!("../../../../docs/upstreams/gcf.md");

/// The fenced blocks of a language.
fn blocks(language: &str) -> Vec<String> {
    let open = format!("```{language}\n");
    let blocks = PAGE.split(&open).skip(1);
    blocks.map(|rest| rest.split("\n```").next().unwrap().to_owned() + "\n").collect()
}

#[tokio::test]
async fn the_quickstart_works_as_written() {
    let start = &blocks("console")[0];
    assert!(start.contains("--target hello --host 127.0.0.1 --port 8090"), "{start}");
    let Some(function) = present(FunctionsFramework::start(Function::http(&blocks("python")[0], "hello")).await) else {
        return;
    };
    // Only the port is the test's own.
    let yaml = blocks("yaml")[0].replace("127.0.0.1:8090", &function.address().to_string());
    let stage = Stage::of(&yaml).await.unwrap();
    let transcript = blocks("console")[1].clone();
    let (command, answer) = transcript.split_once('\n').unwrap();
    let path = command.strip_prefix("$ curl -s http://127.0.0.1:8080").unwrap();
    assert_eq!(stage.get(path).await.body, answer);
}
