//! The documents that a description is made of: its own, and all that it imports and includes. Where they come from,
//! files or the network, is for others to say.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
};

use crate::{
    location,
    name::{ENCODING11, ENCODING12, WSDL, XML, XSD},
    tree::Tree,
    xsd::{references, schemas},
};

/// Documents that one description may have.
const MOST: usize = 1024;

/// Namespaces whose schemas nobody has to fetch.
const KNOWN: [&str; 4] = [XSD, XML, ENCODING11, ENCODING12];

/// The documents, by location.
#[derive(Debug, Default)]
pub struct Documents {
    found: BTreeMap<Arc<str>, Arc<Tree>>,
    /// Those that could not be had, with the reason.
    missing: BTreeMap<Arc<str>, String>,
    asked: BTreeSet<Arc<str>>,
    open: VecDeque<Arc<str>>,
    root: Arc<str>,
}

impl Documents {
    /// The description at a location, of which nothing is read yet.
    pub fn new(root: &str) -> Self {
        let root: Arc<str> = root.into();
        let mut documents = Self { root: Arc::clone(&root), ..Self::default() };
        documents.asked.insert(Arc::clone(&root));
        documents.open.push_back(root);
        documents
    }

    /// The next document that has to be read.
    pub fn wanted(&mut self) -> Option<Arc<str>> {
        self.open.pop_front()
    }

    /// Takes the text of a document, and learns from it which others are needed.
    pub fn give(&mut self, location: Arc<str>, text: Result<String, String>) {
        let tree = match text.and_then(|text| Tree::parse(&text).map_err(|flaw| flaw.to_string())) {
            Ok(tree) => tree,
            Err(reason) => {
                self.missing.insert(location, reason);
                return;
            }
        };
        let root = tree.root();
        let imports = root.elements().filter(|child| child.is(WSDL, "import"));
        let mut needed: Vec<_> = imports.filter_map(|import| import.attribute("location")).collect();
        for (schema, _) in schemas(root) {
            let known = |reference: &str| {
                let imports = schema.elements().filter(|child| child.attribute("schemaLocation") == Some(reference));
                let mut namespaces = imports.filter_map(|import| import.attribute("namespace"));
                namespaces.any(|namespace| KNOWN.contains(&namespace))
            };
            needed.extend(references(schema).map(|(reference, _)| reference).filter(|reference| !known(reference)));
        }
        for reference in needed {
            let needed: Arc<str> = location::resolve(&location, reference).into();
            if !location::may_name(&location, &needed) {
                let hint =
                    "a WSDL that is fetched names documents of its own host only: download them all, and name the file";
                self.missing.entry(needed).or_insert_with(|| hint.to_owned());
            } else if self.asked.len() < MOST && self.asked.insert(Arc::clone(&needed)) {
                self.open.push_back(needed);
            }
        }
        self.missing.remove(&location);
        self.found.insert(location, Arc::new(tree));
    }

    /// Whether the description's own document is there and is XML.
    ///
    /// # Errors
    /// Why it is not.
    pub fn check(&self) -> Result<(), String> {
        self.root().map(drop)
    }

    /// The description's own document.
    ///
    /// # Errors
    /// Why there is none.
    pub(crate) fn root(&self) -> Result<&Arc<Tree>, String> {
        let missing = || self.missing.get(&self.root).cloned().unwrap_or_else(|| "it was not read".to_owned());
        self.found.get(&self.root).ok_or_else(missing)
    }

    /// Every document, the description's own first.
    pub(crate) fn all(&self) -> impl Iterator<Item = (&Arc<str>, &Arc<Tree>)> {
        let own = self.found.get_key_value(&self.root);
        own.into_iter().chain(self.found.iter().filter(|(location, _)| **location != self.root))
    }

    /// The document that another refers to.
    pub(crate) fn below(&self, location: &str, reference: &str) -> Option<(Arc<str>, Arc<Tree>)> {
        let (location, tree) = self.found.get_key_value(&*location::resolve(location, reference))?;
        Some((Arc::clone(location), Arc::clone(tree)))
    }

    /// What could not be had: where it should have been, and why not.
    pub(crate) fn missing(&self) -> impl Iterator<Item = (&str, &str)> {
        self.missing.iter().map(|(location, reason)| (&**location, &**reason))
    }
}
