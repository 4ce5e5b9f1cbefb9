//! An XML document in memory: a few flat lists, with namespaces resolved. Descriptions and replies are read as one.

mod build;
mod element;

use std::sync::Arc;

use callgate_transform::xml;

pub(crate) use element::Element;

/// Elements and texts that a document may have.
const MOST: usize = 1 << 20;

/// Namespace declarations that may be in force at one place.
const MOST_DECLARATIONS: u32 = 256;

/// No node, no declaration.
const NONE: u32 = u32::MAX;

/// A part of the document's characters.
type Span = (u32, u32);

/// A document.
#[derive(Debug)]
pub(crate) struct Tree {
    /// Names, values and texts, one after the other.
    characters: String,
    nodes: Vec<Node>,
    attributes: Vec<Attribute>,
    declarations: Vec<Declaration>,
    /// Each namespace once; the first is none at all.
    namespaces: Vec<Arc<str>>,
}

#[derive(Debug)]
struct Node {
    /// The name as it is written, or the text.
    span: Span,
    /// Where the local part of the name begins; `NONE` for a text.
    local: u32,
    namespace: u32,
    first: u32,
    next: u32,
    attributes: (u32, u32),
    /// The declaration that is in force and was made last.
    scope: u32,
    line: u32,
}

#[derive(Debug)]
struct Attribute {
    name: Span,
    local: u32,
    namespace: u32,
    value: Span,
}

/// `xmlns:prefix="namespace"`, and the declaration before it.
#[derive(Debug)]
struct Declaration {
    prefix: Span,
    namespace: u32,
    before: u32,
    depth: u32,
}

impl Tree {
    /// Reads a document.
    ///
    /// # Errors
    /// A sentence on what is not well-formed or not allowed; it quotes nothing of the document.
    pub(crate) fn parse(text: &str) -> Result<Self, Arc<str>> {
        // Offsets are kept in 32 bits.
        if text.len() >= NONE as usize {
            return Err("the XML is too large".into());
        }
        let mut builder = build::Builder::new(text);
        xml::walk(text, |item| builder.take(item))?;
        builder.finish()
    }

    /// The element that holds all others.
    pub(crate) fn root(&self) -> Element<'_> {
        self.at(0)
    }

    /// An element by its number.
    pub(crate) fn at(&self, id: u32) -> Element<'_> {
        Element { tree: self, id }
    }

    fn characters(&self, (from, to): Span) -> &str {
        self.characters.get(from as usize..to as usize).unwrap_or("")
    }

    fn node(&self, id: u32) -> Option<&Node> {
        self.nodes.get(id as usize)
    }

    fn namespace(&self, id: u32) -> &str {
        self.namespaces.get(id as usize).map_or("", |namespace| namespace)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_their_namespaces() {
        let tree = Tree::parse(
            "<a xmlns='u' xmlns:p='v'>\n<p:b c='1' p:c='2'/><b xmlns=''><p:d xmlns:p='w'/>x</b> y<![CDATA[ z]]></a>",
        )
        .unwrap();
        let root = tree.root();
        assert!(root.is("u", "a") && root.line() == 1);
        let children: Vec<_> = root.elements().collect();
        assert!(children[0].is("v", "b") && children[0].line() == 2);
        assert_eq!((children[0].attribute("c"), children[0].attribute_of("v", "c")), (Some("1"), Some("2")));
        assert!(children[1].is("", "b") && children[1].elements().next().unwrap().is("w", "d"));
        assert_eq!((&*children[1].text(), &*root.text()), ("x", "\n y z"));
        assert_eq!(children[1].resolve("p:x"), Some(("v", "x")));
        assert_eq!((root.resolve("x"), root.resolve("q:x")), (Some(("u", "x")), None));
    }

    #[test]
    fn what_is_too_much_is_refused() {
        assert!(Tree::parse("<p:a/>").unwrap_err().contains("prefix"));
        assert!(Tree::parse("<a p:b='1'/>").unwrap_err().contains("prefix"));
        let many = format!("<a>{}</a>", "<b/>".repeat(MOST));
        assert!(Tree::parse(&many).unwrap_err().contains("more than"));
        let declared = |depth: usize| {
            let open: String = (0..depth)
                .map(|level| {
                    let one = |number| format!(" xmlns:p{level}x{number}='u'");
                    format!("<a{}>", (0..60).map(one).collect::<String>())
                })
                .collect();
            open + &"</a>".repeat(depth)
        };
        assert!(Tree::parse(&declared(4)).is_ok());
        assert!(Tree::parse(&declared(5)).unwrap_err().contains("namespaces"));
        for bomb in ["<!DOCTYPE a [<!ENTITY x 'y'>]><a>&x;</a>", "<a>&x;</a>"] {
            assert!(Tree::parse(bomb).is_err());
        }
    }
}
