//! A document: its version, its operations by name, its servers.

use std::collections::HashMap;

use callgate_document::nearest;
use http::Method;

use crate::{
    files::{At, Files, Place},
    operation::{Operation, Problem},
    read,
    security::Scheme,
    server::Server,
};

/// An OpenAPI 3.x or Swagger 2.0 document.
#[derive(Debug)]
pub struct Document {
    pub(crate) files: Files,
    pub(crate) version: Version,
    entries: Vec<Entry>,
    by_id: HashMap<String, Vec<usize>>,
}

/// Which language a document speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Version {
    /// Swagger 2.0.
    V2,
    /// OpenAPI 3.0.
    V30,
    /// OpenAPI 3.1 and later.
    V31,
}

/// An operation, not yet read.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) id: Option<String>,
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) item: Place,
    pub(crate) operation: Place,
}

/// A text that is no OpenAPI document.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NoDocument(pub(crate) String);

impl NoDocument {
    /// A document that could not be read at all.
    pub fn new(reason: impl Into<String>) -> Self {
        Self(reason.into())
    }
}

/// A name that no operation has, or several.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct NoOperation {
    /// What is wrong.
    pub message: String,
    /// What would be right.
    pub hint: Option<String>,
}

/// The methods that a path may have.
const METHODS: [&str; 9] = ["get", "put", "post", "delete", "options", "head", "patch", "trace", "query"];

/// A document whose files are still being read.
#[derive(Debug)]
pub struct Reading(Files);

impl Reading {
    /// Begins with the document's own text; `location` is its path or URL, from which references start.
    ///
    /// # Errors
    /// The text is neither JSON nor YAML.
    pub fn begin(location: &str, text: &str) -> Result<Self, NoDocument> {
        Files::new(location, text).map(Self).map_err(NoDocument)
    }

    /// The locations of further files that references name. Each is to be given to [`add`](Self::add), after which there
    /// may be more.
    pub fn missing(&self) -> Vec<String> {
        self.0.missing()
    }

    /// Takes a file, or why it can't be had: what refers to it is broken then, and nothing else.
    pub fn add(&mut self, location: &str, text: Result<String, String>) {
        self.0.add(location, text);
    }

    /// The document, as far as it was read.
    ///
    /// # Errors
    /// It is no OpenAPI or Swagger document of a version that is understood.
    pub fn finish(self) -> Result<Document, NoDocument> {
        Document::new(self.0)
    }
}

impl Document {
    fn new(files: Files) -> Result<Self, NoDocument> {
        let version = version(&files.root()).map_err(NoDocument)?;
        let mut entries = Vec::new();
        let paths = files.root().get("paths");
        for (path, item) in paths.iter().flat_map(At::entries) {
            // An item whose reference is broken has no operations; whoever names one is told.
            let item = item.clone().resolved().unwrap_or(item);
            for (key, operation) in item.entries().filter(|(_, operation)| operation.value.is_object()) {
                if !METHODS.contains(&key) {
                    continue;
                }
                let Ok(method) = Method::from_bytes(key.to_ascii_uppercase().as_bytes()) else { continue };
                let id = operation.text("operationId").filter(|id| !id.is_empty()).map(ToOwned::to_owned);
                let (item, operation) = (item.place.clone(), operation.place);
                entries.push(Entry { id, method, path: path.to_owned(), item, operation });
            }
        }
        let mut by_id: HashMap<_, Vec<_>> = HashMap::new();
        for (index, entry) in entries.iter().enumerate() {
            if let Some(id) = &entry.id {
                by_id.entry(id.clone()).or_default().push(index);
            }
        }
        Ok(Self { files, version, entries, by_id })
    }

    /// The operation of an `operationId`, or of `METHOD /path`.
    ///
    /// # Errors
    /// There is none, or the id is that of several.
    pub fn find(&self, name: &str) -> Result<Found<'_>, NoOperation> {
        let found = |index: &usize| self.entries.get(*index).map(|entry| Found { document: self, entry });
        match self.by_id.get(name).map(Vec::as_slice) {
            Some([one]) => return found(one).ok_or_else(|| self.unknown(name)),
            Some(several) => {
                let places: Vec<_> = several.iter().filter_map(found).map(|found| found.entry.place()).collect();
                let message = format!("{} operations have the id `{name}`", several.len());
                return Err(NoOperation { message, hint: Some(format!("write one of `{}`", places.join("`, `"))) });
            }
            None => {}
        }
        let by_place = name.split_once(' ').and_then(|(method, path)| {
            let path = path.trim();
            let same = |entry: &&Entry| entry.method.as_str().eq_ignore_ascii_case(method) && entry.path == path;
            self.entries.iter().find(same)
        });
        by_place.map(|entry| Found { document: self, entry }).ok_or_else(|| self.unknown(name))
    }

    /// All operations, in the order of the document.
    pub fn operations(&self) -> impl Iterator<Item = Found<'_>> {
        self.entries.iter().map(|entry| Found { document: self, entry })
    }

    /// What is wrong with operations; the others can be used.
    pub fn problems(&self) -> Vec<Problem> {
        self.operations().filter_map(|found| found.read().err()).collect()
    }

    /// Where the document came from.
    pub fn location(&self) -> &str {
        self.files.location()
    }

    /// Where all its files came from.
    pub fn locations(&self) -> impl Iterator<Item = &str> {
        self.files.locations()
    }

    /// The servers of the document as a whole, the first of which is meant.
    pub fn servers(&self) -> Vec<Server> {
        read::servers(self)
    }

    /// The names of its security schemes.
    pub fn schemes(&self) -> Vec<(String, Scheme)> {
        read::schemes(self)
    }

    fn unknown(&self, name: &str) -> NoOperation {
        let names: Vec<_> = self.operations().map(|found| found.name()).collect();
        let places: Vec<_> = self.entries.iter().map(Entry::place).collect();
        let candidates = if name.contains(' ') { &places } else { &names };
        let near = nearest(name, candidates.iter().map(String::as_str));
        let hint = match near {
            Some(near) => format!("did you mean `{near}`?"),
            None if self.entries.is_empty() => "the document has no operations".to_owned(),
            None if names.len() <= 10 => format!("it has {}", names.join(", ")),
            None => format!("it has {} operations; `callgate discover` lists them", names.len()),
        };
        NoOperation { message: format!("the document has no operation `{name}`"), hint: Some(hint) }
    }
}

/// An operation of a document.
#[derive(Debug, Clone, Copy)]
pub struct Found<'a> {
    document: &'a Document,
    entry: &'a Entry,
}

impl Found<'_> {
    /// Its `operationId`; without one that is its own, `METHOD /path`.
    pub fn name(&self) -> String {
        let own = |id: &&String| self.document.by_id.get(*id).is_some_and(|entries| entries.len() == 1);
        self.entry.id.as_ref().filter(own).cloned().unwrap_or_else(|| self.entry.place())
    }

    /// `METHOD /path`.
    pub fn place(&self) -> String {
        self.entry.place()
    }

    /// Reads it.
    ///
    /// # Errors
    /// A reference leads nowhere, or something can't be sent as it is described.
    pub fn read(&self) -> Result<Operation, Problem> {
        let name = self.name();
        read::operation(self.document, self.entry, &name).map_err(|broken| Problem::new(&name, broken))
    }
}

impl Entry {
    fn place(&self) -> String {
        format!("{} {}", self.method, self.path)
    }
}

fn version(root: &At<'_>) -> Result<Version, String> {
    let written = |key: &str| root.get(key).map(|version| crate::style::text(version.value).into_owned());
    match (written("openapi"), written("swagger")) {
        (Some(version), _) if version == "3.0" || version.starts_with("3.0.") => Ok(Version::V30),
        (Some(version), _) if version == "3" || version.starts_with("3.") => Ok(Version::V31),
        (None, Some(version)) if matches!(version.as_str(), "2" | "2.0") => Ok(Version::V2),
        (Some(version), _) | (None, Some(version)) => {
            Err(format!("its version is {version}; OpenAPI 3.0 and 3.1 and Swagger 2.0 are understood"))
        }
        (None, None) => Err("it has neither `openapi: 3...` nor `swagger: \"2.0\"`".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;
    use crate::Slashes;

    fn sample() -> Value {
        json!({
            "openapi": "3.0.3",
            "servers": [{"url": "http://{a}.test", "variables": {"a": {"default": "x", "enum": ["x"]}}}],
            "security": [{"key": []}],
            "paths": {"/pets/{id}": {
                "parameters": [{"name": "id", "in": "path", "required": true, "schema": {"type": "integer"}}],
                "put": {
                    "operationId": "put",
                    "parameters": [
                        {"name": "q", "in": "query", "style": "deepObject", "schema": {"$ref": "#/components/schemas/Pet"}},
                        {"name": "h", "in": "header", "content": {"application/json": {"schema": {"type": "array"}}}},
                    ],
                    "requestBody": {"content": {"multipart/form-data": {
                        "schema": {"$ref": "#/components/schemas/Pet"},
                        "encoding": {"tags": {"style": "form", "explode": false}},
                    }}},
                    "responses": {"200": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Pet"}}}}},
                },
            }},
            "components": {
                "securitySchemes": {"key": {"type": "apiKey", "in": "header", "name": "x-key"}},
                "schemas": {"Pet": {
                    "type": "object",
                    "nullable": true,
                    "required": ["name"],
                    "properties": {
                        "name": {"type": "string", "minLength": 1, "pattern": "^[a-z]+$"},
                        "tags": {"type": "array", "items": {"oneOf": [{"type": "string"}, {"type": "integer"}]}},
                        "parent": {"allOf": [{"$ref": "#/components/schemas/Pet"}]},
                        "age": {"type": "number", "minimum": 0, "exclusiveMinimum": true},
                    },
                }},
            },
        })
    }

    fn pointers(value: &Value, at: &str, found: &mut Vec<String>) {
        found.push(at.to_owned());
        match value {
            Value::Object(fields) => {
                for (key, value) in fields {
                    pointers(value, &format!("{at}/{}", key.replace('~', "~0").replace('/', "~1")), found);
                }
            }
            Value::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    pointers(item, &format!("{at}/{index}"), found);
                }
            }
            _ => {}
        }
    }

    fn replacement() -> impl Strategy<Value = Value> {
        prop::sample::select(vec![
            json!(null),
            json!(true),
            json!(-1.5),
            json!(""),
            json!("{x}/../%zz\u{e9} "),
            json!([]),
            json!({}),
            json!(["a", 1, null]),
            json!({"$ref": "#"}),
            json!({"$ref": "#/paths"}),
            json!({"$ref": "#/components/schemas/Pet"}),
            json!({"$ref": "gone.yaml#/x"}),
            json!([{"$ref": "#/components/schemas/Pet/properties/parent"}]),
            json!({"type": ["string", 7], "enum": {}, "items": false, "properties": []}),
        ])
    }

    proptest! {
        #[test]
        fn no_document_panics_or_takes_for_ever(changes in prop::collection::vec((any::<prop::sample::Index>(), replacement()), 0..5)) {
            let mut document = sample();
            for (index, value) in changes {
                let mut found = Vec::new();
                pointers(&document, "", &mut found);
                if let Some(place) = document.pointer_mut(&found[index.index(found.len())]) {
                    *place = value;
                }
            }
            let Ok(document) = Reading::begin("t", &document.to_string()).and_then(Reading::finish) else { return Ok(()) };
            document.problems();
            for server in document.servers() {
                server.url(&std::collections::BTreeMap::new(), "t").ok();
            }
            for operation in document.operations().filter_map(|found| found.read().ok()) {
                operation.describe(&document).ok();
                operation.request_validation(&document).ok();
                operation.reply_validation(&document).ok();
                let values = operation.example_values(&document);
                if let Ok(rendered) = operation.render(&values, Slashes::Refused) {
                    prop_assert!(rendered.target.parse::<http::Uri>().is_ok(), "{}", rendered.target);
                }
            }
        }
    }

    #[test]
    fn the_sample_is_whole() {
        let document = Reading::begin("t", &sample().to_string()).and_then(Reading::finish).unwrap();
        assert_eq!(document.problems(), []);
        let operation = document.find("put").unwrap().read().unwrap();
        assert!(operation.request_validation(&document).is_ok() && operation.describe(&document).is_ok());
    }

    #[test]
    fn other_documents_are_refused_with_what_they_are() {
        for (text, says) in [
            ("{}", "neither `openapi: 3...` nor `swagger"),
            ("openapi: 4.0.0", "its version is 4.0.0"),
            ("swagger: 1.2", "its version is 1.2"),
            ("just text", "neither"),
        ] {
            let refused = Reading::begin("t", text).and_then(Reading::finish).unwrap_err();
            assert!(refused.to_string().contains(says), "{refused}");
        }
    }
}
