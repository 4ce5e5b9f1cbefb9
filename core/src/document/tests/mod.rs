//! The behaviour of the document layer as a whole.

mod composition;
mod diagnostics;
mod masking;
mod merging;
mod reading;

use std::{collections::HashMap, fs, io, path::Path};

use super::{DocPath, Document, References, Report, from_node};

/// References of a test.
#[derive(Default)]
struct Given {
    variables: HashMap<String, String>,
    files: HashMap<String, String>,
}

impl Given {
    fn with(variables: &[(&str, &str)]) -> Self {
        let pair = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        Self { variables: variables.iter().map(pair).collect(), files: HashMap::new() }
    }
}

impl References for Given {
    fn variable(&self, name: &str) -> Option<String> {
        self.variables.get(name).cloned()
    }

    fn file(&self, path: &Path) -> io::Result<String> {
        let found = self.files.get(&path.display().to_string()).cloned();
        found.ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "no such file"))
    }
}

fn parse(text: &str) -> Result<Document, Report> {
    Document::parse("callgate.yaml", text, &Given::default())
}

/// The report on a text that is refused for itself.
fn refused(text: &str) -> String {
    parse(text).expect_err("the text should be refused").to_string()
}

/// The report on a document that does not fit a type.
fn misfit<T: serde::de::DeserializeOwned>(text: &str, variables: &[(&str, &str)]) -> String {
    let document = Document::parse("callgate.yaml", text, &Given::with(variables)).unwrap();
    match from_node::<T>(document.root(), &DocPath::root()) {
        Ok(_) => panic!("the document should not fit"),
        Err(flaws) => document.report(flaws).to_string(),
    }
}

/// A folder with files.
fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    folder
}
