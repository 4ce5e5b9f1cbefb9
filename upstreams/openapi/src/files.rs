//! The files of a document: parsed, and joined by references.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use callgate_document::plain;
use percent_encoding::percent_decode_str;
use serde_json::Value;

use crate::location;

/// How many files a document may have.
const MOST_FILES: usize = 500;
/// How many references may follow on each other.
const MOST_HOPS: usize = 32;

/// Files by location. The first is the document itself.
#[derive(Debug)]
pub(crate) struct Files {
    files: Vec<File>,
    /// Locations that references name.
    wanted: BTreeSet<String>,
    /// Why a wanted file is not there.
    absent: BTreeMap<String, String>,
}

#[derive(Debug)]
struct File {
    location: String,
    root: Value,
}

/// A node by file and JSON pointer.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Place {
    pub(crate) file: usize,
    pub(crate) pointer: String,
}

/// A node of a file.
#[derive(Clone)]
pub(crate) struct At<'a> {
    files: &'a Files,
    pub(crate) place: Place,
    pub(crate) value: &'a Value,
}

/// A node that is not what it has to be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{pointer}: {message}")]
pub(crate) struct Broken {
    /// The node, with its file unless it is the document itself.
    pub(crate) pointer: String,
    pub(crate) message: String,
}

impl Files {
    /// Begins with the document itself.
    pub(crate) fn new(location: &str, text: &str) -> Result<Self, String> {
        let mut files = Self { files: Vec::new(), wanted: BTreeSet::new(), absent: BTreeMap::new() };
        files.push(location, text)?;
        Ok(files)
    }

    /// Takes a file that was missing, or why it can't be had.
    pub(crate) fn add(&mut self, location: &str, text: Result<String, String>) {
        let room = self.files.len() < MOST_FILES;
        let text =
            text.and_then(|text| if room { Ok(text) } else { Err(format!("there are over {MOST_FILES} files")) });
        if let Err(reason) = text.and_then(|text| self.push(location, &text)) {
            self.absent.insert(location.to_owned(), reason);
        }
    }

    /// The locations of files that references name and that are not here.
    pub(crate) fn missing(&self) -> Vec<String> {
        let here = |location: &String| self.find(location).is_some() || self.absent.contains_key(location);
        self.wanted.iter().filter(|location| !here(location)).cloned().collect()
    }

    fn push(&mut self, location: &str, text: &str) -> Result<(), String> {
        let root = parse(text)?;
        wanted(&root, location, &mut self.wanted);
        self.files.push(File { location: location.to_owned(), root });
        Ok(())
    }

    fn find(&self, location: &str) -> Option<usize> {
        self.files.iter().position(|file| file.location == location)
    }

    pub(crate) fn root(&self) -> At<'_> {
        static NULL: Value = Value::Null;
        let value = self.files.first().map_or(&NULL, |file| &file.root);
        At { files: self, place: Place { file: 0, pointer: String::new() }, value }
    }

    /// Where the document came from.
    pub(crate) fn location(&self) -> &str {
        self.files.first().map_or("", |file| &file.location)
    }

    pub(crate) fn locations(&self) -> impl Iterator<Item = &str> {
        self.files.iter().map(|file| &*file.location)
    }

    /// A node that was there when its place was kept.
    pub(crate) fn at(&self, place: &Place) -> Option<At<'_>> {
        let value = self.files.get(place.file)?.root.pointer(&place.pointer)?;
        Some(At { files: self, place: place.clone(), value })
    }

    /// What a reference within a file leads to, without following a further one.
    pub(crate) fn follow(&self, file: usize, reference: &str) -> Result<At<'_>, String> {
        let (path, fragment) = reference.split_once('#').unwrap_or((reference, ""));
        let file = if path.is_empty() {
            file
        } else {
            let base = self.files.get(file).map_or("", |file| &file.location);
            let location = location::join(base, path);
            self.find(&location).ok_or_else(|| {
                let reason = self.absent.get(&location).map_or("it was not read", |reason| reason);
                format!("the file of the reference `{reference}` is not there: {reason}")
            })?
        };
        let pointer = percent_decode_str(fragment).decode_utf8_lossy().into_owned();
        if !pointer.is_empty() && !pointer.starts_with('/') {
            return Err(format!("the reference `{reference}` names an anchor; write a JSON pointer"));
        }
        let place = Place { file, pointer };
        self.at(&place).ok_or_else(|| format!("the reference `{reference}` leads nowhere"))
    }
}

impl<'a> At<'a> {
    pub(crate) fn get(&self, key: &str) -> Option<Self> {
        let value = self.value.get(key).filter(|value| !value.is_null())?;
        Some(self.child(key, value))
    }

    fn child(&self, key: &str, value: &'a Value) -> Self {
        let mut pointer = String::with_capacity(self.place.pointer.len() + key.len() + 1);
        pointer.push_str(&self.place.pointer);
        pointer.push('/');
        pointer.push_str(&key.replace('~', "~0").replace('/', "~1"));
        At { files: self.files, place: Place { file: self.place.file, pointer }, value }
    }

    /// The entries of an object, without extensions (`x-...`).
    pub(crate) fn entries(&self) -> impl Iterator<Item = (&'a str, Self)> {
        let fields = self.value.as_object().into_iter().flatten();
        fields.filter(|(key, _)| !key.starts_with("x-")).map(|(key, value)| (key.as_str(), self.child(key, value)))
    }

    pub(crate) fn items(&self) -> impl Iterator<Item = Self> {
        let items = self.value.as_array().into_iter().flatten();
        items.enumerate().map(|(index, value)| self.child(&index.to_string(), value))
    }

    pub(crate) fn text(&self, key: &str) -> Option<&'a str> {
        self.value.get(key)?.as_str()
    }

    /// A boolean; people write it as text too.
    pub(crate) fn flag(&self, key: &str) -> Option<bool> {
        match self.value.get(key)? {
            Value::Bool(flag) => Some(*flag),
            Value::String(text) if text == "true" => Some(true),
            Value::String(text) if text == "false" => Some(false),
            _ => None,
        }
    }

    /// The node itself, or the one that its references lead to.
    pub(crate) fn resolved(self) -> Result<Self, Broken> {
        let mut at = self;
        for _ in 0..MOST_HOPS {
            let Some(reference) = at.text("$ref") else { return Ok(at) };
            at = at.files.follow(at.place.file, reference).map_err(|message| at.broken(message))?;
        }
        Err(at.broken("the references lead in a circle"))
    }

    pub(crate) fn broken(&self, message: impl Into<String>) -> Broken {
        let location = match self.place.file {
            0 => "",
            file => self.files.files.get(file).map_or("", |file| &file.location),
        };
        Broken { pointer: format!("{location}#{}", self.place.pointer), message: message.into() }
    }
}

impl fmt::Debug for At<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.place)
    }
}

/// JSON, or else YAML.
fn parse(text: &str) -> Result<Value, String> {
    let text = text.trim_start_matches('\u{feff}');
    let json = if text.trim_start().starts_with('{') {
        match serde_json::from_str(text) {
            Ok(json) => return Ok(json),
            Err(error) => Some(format!("it is no JSON: {error}")),
        }
    } else {
        None
    };
    plain(text).map_err(|error| json.unwrap_or_else(|| format!("it is no YAML: {error}")))
}

/// Notes the files that references within a node name.
fn wanted(node: &Value, location: &str, found: &mut BTreeSet<String>) {
    match node {
        Value::Object(fields) => {
            if let Some(Value::String(reference)) = fields.get("$ref")
                && let Some(path) = reference.split('#').next().filter(|path| !path.is_empty())
            {
                found.insert(location::join(location, path));
            }
            fields.values().for_each(|value| wanted(value, location, found));
        }
        Value::Array(items) => items.iter().for_each(|item| wanted(item, location, found)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_lead_through_files_and_tell_where_they_break() {
        let mut files =
            Files::new("a/root.yaml", "x: {$ref: 'b/part.json#/one%20two~1/0'}\ny: {$ref: '#/no'}\nz: {$ref: '#/z'}")
                .unwrap();
        assert_eq!(files.missing(), ["a/b/part.json"]);
        files.add(
            "a/b/part.json",
            Ok(r##"{"one two/": [{"$ref": "../root.yaml#/w"}], "q": {"$ref": "gone.json"}}"##.to_owned()),
        );
        assert_eq!(files.missing(), ["a/b/gone.json"]);
        files.add("a/b/gone.json", Err("no such file".to_owned()));
        assert_eq!(files.missing(), [""; 0]);
        let broken = |key: &str| files.root().get(key).unwrap().resolved().unwrap_err().to_string();
        assert_eq!(broken("x"), "a/b/part.json#/one two~1/0: the reference `../root.yaml#/w` leads nowhere");
        assert_eq!(broken("y"), "#/y: the reference `#/no` leads nowhere");
        assert!(broken("z").contains("in a circle"));
        let part = files.at(&Place { file: 1, pointer: "/q".to_owned() }).unwrap();
        assert!(part.resolved().unwrap_err().message.ends_with("is not there: no such file"));
    }

    #[test]
    fn what_is_no_document_is_told() {
        assert!(Files::new("a", "{\"a\": ]").unwrap_err().starts_with("it is no JSON"));
        assert!(Files::new("a", "a: [").unwrap_err().starts_with("it is no YAML"));
    }
}
