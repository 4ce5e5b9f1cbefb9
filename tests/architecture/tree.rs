use std::path::{Path, PathBuf};

use crate::workspace::root;

/// Folders that hold nothing of ours.
const FOREIGN: [&str; 3] = ["target", "node_modules", "fuzz"];

/// A file of Rust source.
pub(crate) struct Source {
    /// Relative to the root.
    pub(crate) path: PathBuf,
    text: String,
}

/// Every Rust file of the repository.
pub(crate) fn sources() -> Vec<Source> {
    let mut found = Vec::new();
    walk(root(), &mut found);
    assert!(found.len() > 50, "the walk finds the sources");
    found
}

fn walk(folder: &Path, found: &mut Vec<Source>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let (path, name) = (entry.path(), entry.file_name());
        let name = name.to_string_lossy();
        if entry.file_type().unwrap().is_dir() {
            if !name.starts_with('.') && !FOREIGN.contains(&&*name) {
                walk(&path, found);
            }
        } else if name.ends_with(".rs") {
            // A file that vanished meanwhile, as an editor's copy does, is none.
            if let Ok(text) = std::fs::read_to_string(&path) {
                found.push(Source { path: path.strip_prefix(root()).unwrap().to_owned(), text });
            }
        }
    }
}

impl Source {
    /// Whether the file is part of a product, or of the testkit that third parties use; not a test, bench or example.
    pub(crate) fn is_product(&self) -> bool {
        let path = self.path.strip_prefix("tests/testkit/src").unwrap_or(&self.path);
        !path.components().any(|part| {
            matches!(part.as_os_str().to_str(), Some("tests" | "benches" | "examples" | "tests.rs" | "build.rs"))
        })
    }

    /// The lines before the file's own tests, numbered from 1.
    pub(crate) fn product_lines(&self) -> impl Iterator<Item = (usize, &str)> {
        let lines: Vec<_> = self.text.lines().collect();
        let tests = lines
            .windows(2)
            .position(|pair| pair[0].trim() == "#[cfg(test)]" && pair[1].starts_with("mod ") && pair[1].ends_with('{'));
        let end = tests.unwrap_or(lines.len());
        lines.into_iter().take(end).enumerate().map(|(index, line)| (index + 1, line))
    }

    /// The product's lines without those that are comments only.
    pub(crate) fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        self.product_lines().filter(|(_, line)| !line.trim_start().starts_with("//"))
    }
}

#[test]
fn tests_within_a_file_do_not_count() {
    let text = "fn a() {}\n#[cfg(test)]\nmod probe;\nfn b() {}\n#[cfg(test)]\nmod tests {\n}\n".to_owned();
    let source = Source { path: PathBuf::from("core/src/a.rs"), text };
    assert_eq!(source.product_lines().last(), Some((4, "fn b() {}")));
}

#[test]
fn tests_and_benches_are_no_product() {
    let product = |path: &str| Source { path: PathBuf::from(path), text: String::new() }.is_product();
    assert!(product("core/src/a.rs") && product("tests/testkit/src/peers/wire.rs"));
    assert!(!product("core/src/a/tests/b.rs") && !product("benches/a.rs") && !product("tests/testkit/tests/a.rs"));
}
