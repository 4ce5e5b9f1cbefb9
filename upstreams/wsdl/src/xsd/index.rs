//! The global declarations of all schemas, by name, and where each stands.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use crate::{
    documents::Documents,
    name::{Name, XSD},
    tree::{Element, Tree},
};

/// Where a declaration stands: a schema by its number, and an element of its document.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Place {
    pub(crate) schema: u32,
    pub(crate) node: u32,
}

/// A schema: a document of its own, or an element in a WSDL.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) tree: Arc<Tree>,
    /// The target namespace: its own, or that of the schema that includes it.
    pub(crate) target: Arc<str>,
    pub(crate) location: Arc<str>,
    pub(crate) qualified_elements: bool,
    pub(crate) qualified_attributes: bool,
    /// Whether it has no namespace of its own, so that names without one are of the target's.
    chameleon: bool,
}

/// Declarations by name.
#[derive(Debug, Default)]
pub(crate) struct Index {
    pub(crate) sources: Vec<Source>,
    pub(crate) types: HashMap<Name, Place>,
    pub(crate) elements: HashMap<Name, Place>,
    pub(crate) attributes: HashMap<Name, Place>,
    pub(crate) groups: HashMap<Name, Place>,
    pub(crate) attribute_groups: HashMap<Name, Place>,
}

impl Index {
    /// Finds what the schemas of some documents declare, and those that they include and import.
    pub(crate) fn new(documents: &Documents) -> Self {
        let mut index = Self::default();
        let mut open = Vec::new();
        for (location, tree) in documents.all() {
            for (schema, _) in schemas(tree.root()) {
                open.push((Arc::clone(location), Arc::clone(tree), schema.id(), None::<Arc<str>>));
            }
        }
        let mut seen = HashSet::new();
        while let Some((location, tree, node, target)) = open.pop() {
            let schema = tree.at(node);
            let own = schema.attribute("targetNamespace").unwrap_or("");
            let target: Arc<str> = match target {
                Some(target) if own.is_empty() => target,
                _ => own.into(),
            };
            if !seen.insert((Arc::clone(&location), node, Arc::clone(&target))) {
                continue;
            }
            for (reference, included) in references(schema) {
                let Some((location, tree)) = documents.below(&location, reference) else { continue };
                if tree.root().is(XSD, "schema") {
                    let target = included.then(|| Arc::clone(&target));
                    open.push((location, tree, 0, target));
                }
            }
            index.add(&tree, node, location, target);
        }
        index
    }

    fn add(&mut self, tree: &Arc<Tree>, node: u32, location: Arc<str>, target: Arc<str>) {
        let schema = tree.at(node);
        let is = |name: &str| schema.attribute(name) == Some("qualified");
        let chameleon = schema.attribute("targetNamespace").is_none() && !target.is_empty();
        let number = u32::try_from(self.sources.len()).unwrap_or(u32::MAX);
        for child in schema.elements().filter(|child| child.namespace() == XSD) {
            // What a redefinition changes stands in it.
            let redefined = (child.local() == "redefine").then(|| child.elements()).into_iter().flatten();
            for declaration in std::iter::once(child).chain(redefined) {
                let name = declaration.attribute("name").and_then(|name| Name::declared(Arc::clone(&target), name));
                let Some(name) = name else { continue };
                let by_name = match declaration.local() {
                    "simpleType" | "complexType" => &mut self.types,
                    "element" => &mut self.elements,
                    "attribute" => &mut self.attributes,
                    "group" => &mut self.groups,
                    "attributeGroup" => &mut self.attribute_groups,
                    _ => continue,
                };
                let place = Place { schema: number, node: declaration.id() };
                by_name.entry(name).or_insert(place);
            }
        }
        self.sources.push(Source {
            tree: Arc::clone(tree),
            qualified_elements: is("elementFormDefault"),
            qualified_attributes: is("attributeFormDefault"),
            target,
            location,
            chameleon,
        });
    }

    pub(crate) fn source(&self, place: Place) -> Option<&Source> {
        self.sources.get(place.schema as usize)
    }
}

impl Source {
    /// The name that a reference means.
    pub(crate) fn name(&self, at: Element<'_>, value: &str) -> Result<Name, String> {
        let name = at.name_in(value)?;
        if self.chameleon && name.namespace.is_empty() {
            return Ok(Name { namespace: Arc::clone(&self.target), local: name.local });
        }
        Ok(name)
    }
}

/// The schemas in a document, each with whether it stands alone.
pub(crate) fn schemas(root: Element<'_>) -> impl Iterator<Item = (Element<'_>, bool)> {
    let alone = root.is(XSD, "schema").then_some((root, true));
    let types = root.elements().filter(|child| child.local() == "types");
    alone.into_iter().chain(
        types.flat_map(|types| types.elements().filter(|child| child.is(XSD, "schema")).map(|schema| (schema, false))),
    )
}

/// The other schemas that one refers to by location, and whether they become part of it.
pub(crate) fn references(schema: Element<'_>) -> impl Iterator<Item = (&str, bool)> {
    schema.elements().filter(|child| child.namespace() == XSD).filter_map(|child| {
        let included = match child.local() {
            "import" => false,
            "include" | "redefine" | "override" => true,
            _ => return None,
        };
        Some((child.attribute("schemaLocation")?, included))
    })
}
