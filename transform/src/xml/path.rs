//! The path of elements below a document's root: `Envelope/Body/Price`, `Order/@id`.

use minijinja::{Value, value::ValueKind};

use super::{
    TEXT,
    name::{is_name, local},
};

/// Names to follow from the document to an element or an attribute. A name without a prefix stands for any.
#[derive(Clone, Debug)]
pub(crate) struct ElementPath(Vec<String>);

impl ElementPath {
    /// Reads a path; a slash before it changes nothing.
    ///
    /// # Errors
    /// The segment that is no name.
    pub(crate) fn parse(path: &str) -> Result<Self, &str> {
        let segments: Vec<_> = path.strip_prefix('/').unwrap_or(path).split('/').collect();
        for (at, segment) in segments.iter().enumerate() {
            let last = at + 1 == segments.len();
            let name = if last && at > 0 { segment.strip_prefix('@').unwrap_or(segment) } else { segment };
            if !is_name(name) {
                return Err(segment);
            }
        }
        Ok(Self(segments.into_iter().map(str::to_owned).collect()))
    }

    /// What stands there: nothing, one value, or the list of several. An element that has attributes and text only is
    /// its text.
    pub(crate) fn find(&self, document: &Value) -> Option<Value> {
        let mut found = vec![document.clone()];
        for segment in &self.0 {
            found = found.iter().flat_map(|value| members(value, segment)).collect();
        }
        let mut found: Vec<_> = found.into_iter().map(plain).collect();
        match found.len() {
            0 => None,
            1 => found.pop(),
            _ => Some(Value::from(found)),
        }
    }
}

fn members(value: &Value, segment: &str) -> Vec<Value> {
    let is_named = |key: &Value| {
        key.as_str().is_some_and(|key| match (key.strip_prefix('@'), segment.strip_prefix('@')) {
            (Some(key), Some(segment)) => key == segment || local(key) == segment,
            (None, None) => key == segment || local(key) == segment,
            _ => false,
        })
    };
    if value.kind() != ValueKind::Map {
        return Vec::new();
    }
    let Ok(keys) = value.try_iter() else { return Vec::new() };
    let items = keys.filter(is_named).filter_map(|key| value.get_item(&key).ok());
    items
        .flat_map(|item| match (item.kind(), item.try_iter()) {
            (ValueKind::Seq, Ok(list)) => list.collect(),
            _ => vec![item],
        })
        .collect()
}

fn plain(value: Value) -> Value {
    let only_text = value.kind() == ValueKind::Map
        && value
            .try_iter()
            .is_ok_and(|mut keys| keys.all(|key| key.as_str().is_some_and(|key| key == TEXT || key.starts_with('@'))));
    match value.get_attr(TEXT) {
        Ok(text) if only_text && !text.is_undefined() => text,
        Ok(_) if only_text => Value::from(""),
        _ => value,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(path: &str) -> Option<String> {
        let document = r#"<s:E xmlns:s="u"><s:B id="7"><P c="EUR">5</P><x:P>6</x:P><N/><M a="1"/></s:B></s:E>"#;
        let document = super::super::parse(document.as_bytes()).unwrap();
        ElementPath::parse(path).unwrap().find(&document).map(|value| value.to_string())
    }

    #[test]
    fn follows_local_names() {
        assert_eq!(find("/E/B/@id").as_deref(), Some("7"));
        assert_eq!(find("E/B/P").as_deref(), Some("['5', '6']"));
        assert_eq!(find("E/s:B/x:P").as_deref(), Some("6"));
        assert_eq!(find("E/B/N").as_deref(), Some(""));
        assert_eq!(find("E/B/M").as_deref(), Some(""));
        for nothing in ["E/B/Q", "B", "E/B/P/x", "E/B/N/x", "E/x:B"] {
            assert_eq!(find(nothing), None, "{nothing}");
        }
        for bad in ["", "/", "a//b", "a/@b/c", "@a", "a/text()"] {
            assert!(ElementPath::parse(bad).is_err(), "{bad}");
        }
    }
}
