//! A document that is a file, with the files that it refers to.

use callgate_core::{Files, contents};
use callgate_openapi::{Document, NoDocument, Reading};

use super::{LARGEST, LARGEST_SUM};

/// Reads a document below a folder. What it refers to by URL is not there: a check uses no network.
pub(crate) fn read(files: &Files, file: &str) -> Result<Document, NoDocument> {
    let location = files.file(file).display().to_string();
    let mut room = LARGEST_SUM;
    let mut reading = Reading::begin(&location, &text(&location, &mut room).map_err(NoDocument::new)?)?;
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
                text(&location, &mut room)
            };
            reading.add(&location, read);
        }
    }
}

/// Reads a file, for which there is so much room left.
fn text(location: &str, room: &mut u64) -> Result<String, String> {
    let because = |reason: String| format!("`{location}` can't be read: {reason}");
    let bytes = contents(location, LARGEST.min(*room)).map_err(|error| because(error.to_string()))?;
    *room = room.saturating_sub(bytes.len() as u64);
    String::from_utf8(bytes).map_err(|_| because("it is no UTF-8".to_owned()))
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use super::*;

    #[test]
    fn only_files_that_end_soon_enough_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.yaml");
        fs::write(&file, "abc").unwrap();
        let (file, mut room) = (file.display().to_string(), 4);
        assert_eq!(text(&file, &mut room).unwrap(), "abc");
        assert!(text(&file, &mut room).unwrap_err().contains("it has over 1 bytes"));
        // What a document refers to is no exception.
        let document = folder.path().join("openapi.yaml");
        let endless = "{openapi: 3.1.0, info: {title: a, version: '1'}, paths: {/a: {get: {parameters: [{$ref: '/dev/zero#/a'}]}}}}";
        fs::write(&document, endless).unwrap();
        let read = read(&Files::new(Path::new("/")), &document.display().to_string());
        let told: Vec<_> = read.unwrap().problems().iter().map(ToString::to_string).collect();
        assert!(told.len() == 1 && told[0].contains("it is no regular file"), "{told:?}");
    }
}
