//! The reference of every field of the configuration, for people: Markdown that is made of its JSON Schema.

mod section;
mod sections;
mod shape;
mod table;

use serde_json::Value;

/// What stands above the first section.
const BEGIN: &str = "# Configuration reference

Every field of the configuration, made by `callgate schema --markdown` of what the program itself reads. How the language works, with
examples, is in [configuration.md](configuration.md).

A field is written with the path to it: `tls.certificate` is `certificate` below `tls`, `[]` is each item of a list, and `NAME` is a
name of yours. `–` as a default says that nothing holds unless it is written. Any text may be `${NAME}` or `${file:PATH}`.
";

/// The reference of the configuration that a schema describes.
pub(super) fn markdown(schema: &Value) -> String {
    let mut reader = shape::Reader::new(&schema["$defs"]);
    let sections = sections::all(schema, &mut reader);
    let mut text = BEGIN.to_owned();
    for section in &sections {
        text.push('\n');
        text.push_str(&section.markdown(&mut reader));
    }
    text
}
