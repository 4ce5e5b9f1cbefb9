//! A document that is a file, with the files that it refers to.

use std::fs;

use callgate_core::Files;
use callgate_openapi::{Document, NoDocument, Reading};

/// Reads a document below a folder. What it refers to by URL is not there: a check uses no network.
pub(crate) fn read(files: &Files, file: &str) -> Result<Document, NoDocument> {
    let location = files.file(file).display().to_string();
    let mut reading = Reading::begin(&location, &text(&location).map_err(NoDocument::new)?)?;
    loop {
        let missing = reading.missing();
        if missing.is_empty() {
            return reading.finish();
        }
        for location in missing {
            let read = if location.contains("://") {
                Err("a document that is a file refers to files only".to_owned())
            } else {
                files.note(&location);
                text(&location)
            };
            reading.add(&location, read);
        }
    }
}

fn text(location: &str) -> Result<String, String> {
    fs::read_to_string(location).map_err(|error| format!("`{location}` can't be read: {error}"))
}
