use std::process::Command;

use serde_json::Value;

use crate::{assert_none, workspace::root};

#[test]
fn every_crate_that_is_published_says_what_it_is() {
    let output = Command::new(option_env!("CARGO").unwrap_or("cargo"))
        .args(["metadata", "--format-version", "1", "--no-deps", "--offline"])
        .current_dir(root())
        .output()
        .unwrap();
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let mut offenders = Vec::new();
    let mut published = 0;
    for package in metadata["packages"].as_array().unwrap() {
        if package["publish"].as_array().is_some_and(Vec::is_empty) {
            continue;
        }
        published += 1;
        let name = package["name"].as_str().unwrap();
        for field in ["description", "license", "repository", "readme", "rust_version"] {
            if package[field].as_str().is_none_or(str::is_empty) {
                offenders.push(format!("{name} has no {field}"));
            }
        }
        for dependency in package["dependencies"].as_array().unwrap() {
            if dependency["path"].is_string() && dependency["req"] == "*" {
                offenders.push(format!("{name} names {} without a version", dependency["name"]));
            }
        }
    }
    assert!(published > 10, "{published} crates are published");
    assert_none("a registry refuses, or nobody finds, a crate without these", &offenders);
}
