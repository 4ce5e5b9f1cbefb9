//! What no schema tells: elements as they are, in the form in which XML is read elsewhere in the gateway. Namespaces that
//! are in force from outside are declared in it, so that the value stands for itself.

use std::collections::{BTreeSet, HashMap};

use super::json;
use crate::{encode::TEXT, name::XSI, tree::Element};

/// Namespaces that the form has declared so far, the last one first in force.
type Scope<'t> = Vec<(&'t str, &'t str)>;

/// An element that stands on its own.
pub(crate) fn form(out: &mut String, node: Element<'_>) {
    element(out, node, &mut Scope::new());
}

/// An object of the elements in another, each of which stands on its own.
pub(crate) fn members(out: &mut String, node: Element<'_>) {
    let mut object = json::Object::begin(out);
    children(out, node.elements(), |_| false, &mut object);
    object.end(out);
}

/// Elements beside others, each name's together. `taken` are the names that mean something else there.
pub(super) fn children<'t>(
    out: &mut String,
    nodes: impl Iterator<Item = Element<'t>>,
    taken: impl Fn(&str) -> bool,
    object: &mut json::Object,
) {
    for (name, same) in by_name(nodes) {
        let key = match same.first() {
            Some(first) if taken(name) => format!("{{{}}}{}", first.namespace(), first.local()),
            _ => name.to_owned(),
        };
        object.key(out, &key);
        list(out, &same, &mut Scope::new());
    }
}

fn by_name<'t>(nodes: impl Iterator<Item = Element<'t>>) -> Vec<(&'t str, Vec<Element<'t>>)> {
    let mut found: Vec<(&str, Vec<Element<'_>>)> = Vec::new();
    let mut known: HashMap<&str, usize> = HashMap::new();
    for node in nodes {
        let at = *known.entry(node.written()).or_insert(found.len());
        match found.get_mut(at) {
            Some((_, same)) => same.push(node),
            None => found.push((node.written(), vec![node])),
        }
    }
    found
}

fn list<'t>(out: &mut String, nodes: &[Element<'t>], scope: &mut Scope<'t>) {
    if let [one] = nodes {
        return element(out, *one, scope);
    }
    out.push('[');
    for (at, node) in nodes.iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        element(out, *node, scope);
    }
    out.push(']');
}

fn element<'t>(out: &mut String, node: Element<'t>, scope: &mut Scope<'t>) {
    let before = scope.len();
    let mut prefixes = BTreeSet::new();
    // The outermost declares for all in it what is in force there.
    used(node, before == 0, &mut prefixes);
    for prefix in prefixes {
        let namespace = node.declared(prefix).unwrap_or("");
        let known = scope.iter().rev().find(|(known, _)| *known == prefix).map_or("", |(_, namespace)| namespace);
        if namespace != known && (prefix.is_empty() || !namespace.is_empty()) {
            scope.push((prefix, namespace));
        }
    }
    let text = node.text();
    let is_text = node.elements().next().is_none();
    if is_text && scope.len() == before && node.attributes().next().is_none() {
        return json::string(out, &text);
    }
    let mut object = json::Object::begin(out);
    for (prefix, namespace) in scope.get(before..).unwrap_or_default() {
        let key = if prefix.is_empty() { "@xmlns".to_owned() } else { format!("@xmlns:{prefix}") };
        object.key(out, &key);
        json::string(out, namespace);
    }
    for attribute in node.attributes() {
        object.key(out, &format!("@{}", attribute.written));
        json::string(out, attribute.value);
    }
    for (name, same) in by_name(node.elements()) {
        object.key(out, name);
        list(out, &same, scope);
    }
    let text = if is_text { &*text } else { text.trim() };
    if !text.is_empty() {
        object.key(out, TEXT);
        json::string(out, text);
    }
    object.end(out);
    scope.truncate(before);
}

/// The prefixes that the names of an element have, and, if that is wanted, those of all elements in it.
fn used<'t>(node: Element<'t>, deep: bool, found: &mut BTreeSet<&'t str>) {
    let prefix = |name: &'t str| name.split_once(':').map(|(prefix, _)| prefix);
    found.insert(prefix(node.written()).unwrap_or(""));
    for attribute in node.attributes() {
        found.extend(prefix(attribute.written).filter(|prefix| *prefix != "xml"));
        if attribute.namespace == XSI && attribute.local == "type" {
            found.extend(prefix(attribute.value.trim()));
        }
    }
    if deep {
        node.elements().for_each(|child| used(child, deep, found));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::tree::Tree;

    #[test]
    fn a_value_stands_for_itself() {
        for (xml, value) in [
            ("<a>x</a>", json!("x")),
            ("<a b='1'>x</a>", json!({"@b": "1", "#text": "x"})),
            ("<a><b/><b>2</b> t </a>", json!({"b": ["", "2"], "#text": "t"})),
            ("<a xmlns='u'>x</a>", json!({"@xmlns": "u", "#text": "x"})),
            ("<a xmlns='u'><b xmlns=''>x</b></a>", json!({"@xmlns": "u", "b": {"@xmlns": "", "#text": "x"}})),
            ("<p:a xmlns:p='u'><p:b>x</p:b></p:a>", json!({"@xmlns:p": "u", "p:b": "x"})),
            ("<a><p:b xmlns:p='u'>x</p:b></a>", json!({"p:b": {"@xmlns:p": "u", "#text": "x"}})),
        ] {
            let mut out = String::new();
            form(&mut out, Tree::parse(xml).unwrap().root());
            assert_eq!(serde_json::from_str::<serde_json::Value>(&out).unwrap(), value, "{xml}");
        }
    }
}
