//! Building a tree out of the parts that the reader gives.

use std::{collections::HashMap, sync::Arc};

use callgate_transform::xml::Item;

use super::{Attribute, Declaration, MOST, MOST_DECLARATIONS, NONE, Node, Span, Tree};
use crate::name::XML;

pub(super) struct Builder<'a> {
    source: &'a str,
    tree: Tree,
    /// The elements that are open, each with its last child.
    open: Vec<(u32, u32)>,
    known: HashMap<Arc<str>, u32>,
    /// The declaration in force that was made last.
    scope: u32,
    /// Whether attributes of the last element may still come.
    head: bool,
    line: u32,
    counted: usize,
    flaw: Option<&'static str>,
}

impl<'a> Builder<'a> {
    pub(super) fn new(source: &'a str) -> Self {
        let none: Arc<str> = "".into();
        let tree = Tree {
            characters: String::with_capacity(source.len()),
            nodes: Vec::with_capacity(source.len() / 32),
            attributes: Vec::new(),
            declarations: Vec::new(),
            namespaces: vec![Arc::clone(&none)],
        };
        let known = HashMap::from([(none, 0)]);
        Self { source, tree, open: Vec::new(), known, scope: NONE, head: false, line: 1, counted: 0, flaw: None }
    }

    pub(super) fn take(&mut self, item: Item<'_>) {
        if self.flaw.is_some() {
            return;
        }
        if !matches!(item, Item::Attribute(..)) {
            self.end_head();
        }
        match item {
            Item::Open(name, at) => self.begin(name, at),
            Item::Attribute("xmlns", namespace) => self.declare("", &namespace),
            Item::Attribute(name, value) => match name.strip_prefix("xmlns:") {
                Some(prefix) => self.declare(prefix, &value),
                None => {
                    let (name, local) = self.written(name);
                    let value = self.push(&value);
                    self.tree.attributes.push(Attribute { name, local, namespace: 0, value });
                }
            },
            Item::Text(text) => self.text(text),
            Item::Close => {
                if let Some((id, _)) = self.open.pop() {
                    let depth = self.open.len();
                    let scope = self.tree.nodes.get(id as usize).map_or(NONE, |node| node.scope);
                    self.scope = self.before(scope, depth);
                }
            }
        }
    }

    pub(super) fn finish(self) -> Result<Tree, Arc<str>> {
        match self.flaw {
            Some(flaw) => Err(flaw.into()),
            None => Ok(self.tree),
        }
    }

    /// The declarations of a scope that were made above a depth.
    fn before(&self, mut scope: u32, depth: usize) -> u32 {
        while let Some(declaration) = self.tree.declarations.get(scope as usize) {
            if declaration.depth as usize <= depth {
                break;
            }
            scope = declaration.before;
        }
        scope
    }

    fn begin(&mut self, name: &str, at: usize) {
        let lines = self.source.as_bytes().get(self.counted..at).unwrap_or_default();
        self.line += u32::try_from(lines.iter().filter(|byte| **byte == b'\n').count()).unwrap_or(0);
        self.counted = at;
        let (span, local) = self.written(name);
        let attributes = u32::try_from(self.tree.attributes.len()).unwrap_or(NONE);
        let node = Node {
            span,
            local,
            namespace: 0,
            first: NONE,
            next: NONE,
            attributes: (attributes, attributes),
            scope: self.scope,
            line: self.line,
        };
        let id = self.append(node);
        self.open.push((id, NONE));
        self.head = true;
    }

    /// Puts a node behind the last child of the element that is open.
    fn append(&mut self, node: Node) -> u32 {
        let id = u32::try_from(self.tree.nodes.len()).unwrap_or(NONE);
        if self.tree.nodes.len() == MOST {
            self.flaw = Some("the XML has more than a million elements and texts");
            return id;
        }
        self.tree.nodes.push(node);
        if let Some((parent, last)) = self.open.last_mut() {
            let before = if *last == NONE { *parent } else { *last };
            if let Some(node) = self.tree.nodes.get_mut(before as usize) {
                if *last == NONE { node.first = id } else { node.next = id }
            }
            *last = id;
        }
        id
    }

    fn text(&mut self, text: &str) {
        let span = self.push(text);
        let Some((_, last)) = self.open.last() else { return };
        // Pieces that follow each other are one text.
        if let Some(node) = self.tree.nodes.get_mut(*last as usize)
            && node.local == NONE
            && node.span.1 == span.0
        {
            node.span.1 = span.1;
            return;
        }
        let (scope, line) = (self.scope, self.line);
        self.append(Node { span, local: NONE, namespace: 0, first: NONE, next: NONE, attributes: (0, 0), scope, line });
    }

    fn declare(&mut self, prefix: &str, namespace: &str) {
        let depth = u32::try_from(self.open.len()).unwrap_or(NONE);
        let (mut count, mut scope) = (0, self.scope);
        while let Some(declaration) = self.tree.declarations.get(scope as usize) {
            (count, scope) = (count + 1, declaration.before);
        }
        if count == MOST_DECLARATIONS {
            self.flaw = Some("the XML declares too many namespaces at one place");
            return;
        }
        let prefix = self.push(prefix);
        let namespace = self.intern(namespace);
        self.tree.declarations.push(Declaration { prefix, namespace, before: self.scope, depth });
        self.scope = u32::try_from(self.tree.declarations.len() - 1).unwrap_or(NONE);
    }

    fn intern(&mut self, namespace: &str) -> u32 {
        if let Some(id) = self.known.get(namespace) {
            return *id;
        }
        let id = u32::try_from(self.tree.namespaces.len()).unwrap_or(0);
        let namespace: Arc<str> = namespace.into();
        self.tree.namespaces.push(Arc::clone(&namespace));
        self.known.insert(namespace, id);
        id
    }

    /// Resolves the names of an element whose head is complete.
    fn end_head(&mut self) {
        if !std::mem::take(&mut self.head) {
            return;
        }
        let Some((id, _)) = self.open.last().copied() else { return };
        let end = u32::try_from(self.tree.attributes.len()).unwrap_or(NONE);
        let scope = self.scope;
        let Some(node) = self.tree.nodes.get_mut(id as usize) else { return };
        node.scope = scope;
        node.attributes.1 = end;
        let (span, local, begin) = (node.span, node.local, node.attributes.0);
        match self.namespace(scope, (span.0, local.saturating_sub(1).max(span.0)), true) {
            Some(namespace) => {
                if let Some(node) = self.tree.nodes.get_mut(id as usize) {
                    node.namespace = namespace;
                }
            }
            None => self.flaw = Some("the XML uses a prefix that it does not declare"),
        }
        for index in begin..end {
            let Some(attribute) = self.tree.attributes.get(index as usize) else { continue };
            // An attribute without a prefix has no namespace.
            if attribute.local == attribute.name.0 {
                continue;
            }
            let prefix = (attribute.name.0, attribute.local - 1);
            match self.namespace(scope, prefix, false) {
                Some(namespace) => {
                    if let Some(attribute) = self.tree.attributes.get_mut(index as usize) {
                        attribute.namespace = namespace;
                    }
                }
                None => self.flaw = Some("the XML uses a prefix that it does not declare"),
            }
        }
    }

    /// The namespace of a prefix; an empty one is the default namespace's where that counts.
    fn namespace(&mut self, scope: u32, prefix: Span, element: bool) -> Option<u32> {
        let found = self.tree.declared(scope, self.tree.characters(prefix));
        if found.is_some() {
            return found;
        }
        if prefix.0 == prefix.1 {
            return element.then_some(0);
        }
        (self.tree.characters(prefix) == "xml").then(|| self.intern(XML))
    }

    fn push(&mut self, text: &str) -> Span {
        let begin = u32::try_from(self.tree.characters.len()).unwrap_or(NONE);
        self.tree.characters.push_str(text);
        (begin, u32::try_from(self.tree.characters.len()).unwrap_or(NONE))
    }

    /// A name, and where its local part begins.
    fn written(&mut self, name: &str) -> (Span, u32) {
        let span = self.push(name);
        let prefix = name.find(':').map_or(0, |colon| u32::try_from(colon + 1).unwrap_or(0));
        (span, span.0 + prefix)
    }
}

impl Tree {
    /// What a prefix is declared as, in a scope.
    pub(super) fn declared(&self, mut scope: u32, prefix: &str) -> Option<u32> {
        while let Some(declaration) = self.declarations.get(scope as usize) {
            if self.characters(declaration.prefix) == prefix {
                return Some(declaration.namespace);
            }
            scope = declaration.before;
        }
        None
    }
}
