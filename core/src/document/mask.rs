//! What is shown of a document never shows what its references gave.

use std::{collections::HashSet, fmt};

use serde_json::Value as Json;

use super::{Document, Flaw, Node, Resolved, Value};

/// Shorter values are left alone outside of their own place: masking every `1` would help nobody.
const SHORTEST: usize = 4;

/// The values that must not be shown.
#[derive(Clone)]
pub(crate) struct Masks {
    /// Longest first, so that a value which contains another is masked whole.
    resolved: Vec<Resolved>,
    /// The keys that the document itself shows.
    keys: HashSet<Box<str>>,
}

impl Document {
    /// The values of references in a form of this document are replaced by the references.
    ///
    /// At the places of the document itself the original text is put back; anywhere else a text that contains a
    /// value of four characters or more has it replaced.
    #[must_use]
    pub fn mask(&self, mut form: Json) -> Json {
        self.masks.anywhere(&mut form);
        in_place(&mut form, self.root());
        form
    }
}

/// Shows no value.
impl fmt::Debug for Masks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Masks").finish_non_exhaustive()
    }
}

impl Masks {
    pub(super) fn new(mut resolved: Vec<Resolved>, root: &Node) -> Self {
        resolved.retain(|resolved| resolved.value.chars().count() >= SHORTEST);
        resolved.sort_by(|a, b| b.value.len().cmp(&a.value.len()).then_with(|| a.value.cmp(&b.value)));
        resolved.dedup_by(|a, b| a.value == b.value);
        let mut keys = HashSet::new();
        if !resolved.is_empty() {
            collect_keys(root, &mut keys);
        }
        Self { resolved, keys }
    }

    /// The text with every value replaced, or nothing when there is none in it.
    pub(crate) fn text(&self, text: &str) -> Option<String> {
        text_without(text, &self.resolved)
    }

    pub(crate) fn flaw(&self, flaw: &mut Flaw) {
        mask_flaw(flaw, |text| self.text(text));
    }

    fn anywhere(&self, form: &mut Json) {
        match form {
            Json::String(text) => {
                if let Some(masked) = self.text(text) {
                    *text = masked;
                }
            }
            Json::Number(number) => {
                if let Some(masked) = self.text(&number.to_string()) {
                    *form = Json::String(masked);
                }
            }
            Json::Array(items) => items.iter_mut().for_each(|item| self.anywhere(item)),
            Json::Object(entries) => {
                let leaks = |key: &String| !self.keys.contains(key.as_str()) && self.text(key).is_some();
                if entries.keys().any(leaks) {
                    let renamed = std::mem::take(entries).into_iter().map(|(key, value)| {
                        let shown = self.keys.contains(key.as_str());
                        (if shown { key } else { self.text(&key).unwrap_or(key) }, value)
                    });
                    *entries = renamed.collect();
                }
                entries.values_mut().for_each(|value| self.anywhere(value));
            }
            Json::Null | Json::Bool(_) => {}
        }
    }
}

/// Masks the texts of a flaw.
pub(super) fn mask_flaw(flaw: &mut Flaw, mask: impl Fn(&str) -> Option<String>) {
    let related = flaw.related.iter_mut().map(|(_, text)| text);
    let texts = [Some(&mut flaw.message), flaw.label.as_mut(), flaw.hint.as_mut()];
    for text in texts.into_iter().flatten().chain(related) {
        if let Some(masked) = mask(text) {
            *text = masked;
        }
    }
}

/// Replaces values, the first in the list first, in one pass from the left.
pub(super) fn text_without(text: &str, resolved: &[Resolved]) -> Option<String> {
    let mut masked: Option<String> = None;
    let mut kept = 0;
    let mut at = 0;
    while at < text.len() {
        let rest = &text[at..];
        let hit = resolved.iter().find(|resolved| !resolved.value.is_empty() && rest.starts_with(&*resolved.value));
        if let Some(hit) = hit {
            let out = masked.get_or_insert_default();
            out.push_str(&text[kept..at]);
            out.push_str(&hit.written);
            at += hit.value.len();
            kept = at;
        } else {
            at += rest.chars().next().map_or(1, char::len_utf8);
        }
    }
    masked.map(|masked| masked + &text[kept..])
}

/// Puts the document's own text back where the form has the document's shape.
fn in_place(form: &mut Json, node: &Node) {
    if let Some(substituted) = &node.substituted {
        *form = Json::String(substituted.original.to_string());
        return;
    }
    match (form, &node.value) {
        (Json::Object(form), Value::Mapping(entries)) => {
            for (key, value) in entries {
                if let Some(form) = form.get_mut(&*key.text) {
                    in_place(form, value);
                }
            }
        }
        (Json::Array(form), Value::Sequence(items)) if form.len() == items.len() => {
            form.iter_mut().zip(items).for_each(|(form, item)| in_place(form, item));
        }
        _ => {}
    }
}

fn collect_keys(node: &Node, keys: &mut HashSet<Box<str>>) {
    for (key, value) in node.entries() {
        keys.insert(key.text.clone());
        collect_keys(value, keys);
    }
    node.items().iter().for_each(|item| collect_keys(item, keys));
}
