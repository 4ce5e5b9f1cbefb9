//! Writing values as XML, in the form in which XML is read.

use std::{borrow::Cow, fmt};

use minijinja::{Error, Value, value::ValueKind};

use super::{
    DEPTH, TEXT,
    name::{is_char, is_name},
};
use crate::engine::text_of;

/// Why a value cannot be written as XML.
#[derive(Debug, thiserror::Error)]
pub enum Unwritable {
    /// A character that no form of XML can hold.
    #[error("the value has a character that XML cannot hold")]
    Character,
    /// A key that is no name.
    #[error("a key of the value is not an XML name")]
    Name,
    /// No root, or several.
    #[error("XML needs one root element: name it, as in `to_xml('order')`, or give an object with one key")]
    Root,
    /// Text that is none.
    #[error("an attribute, or text, cannot be a list or an object")]
    Scalar,
    /// Lists in lists.
    #[error("a list of lists has no form in XML")]
    List,
    /// Too deep.
    #[error("the value nests too deeply")]
    Depth,
    /// The template engine says so.
    #[error(transparent)]
    Value(#[from] Error),
}

/// A value as an element of the name, or, without one, an object with one key as an element of that name.
///
/// # Errors
/// What of the value has no form in XML.
pub(crate) fn write(value: &Value, root: Option<&str>) -> Result<String, Unwritable> {
    let mut out = String::new();
    if let Some(name) = root {
        if is_list(value) {
            return Err(Unwritable::Root);
        }
        element(&mut out, name, value, 0)?;
        return Ok(out);
    }
    if value.kind() != ValueKind::Map {
        return Err(Unwritable::Root);
    }
    let keys: Vec<_> = value.try_iter()?.collect();
    let [key] = &keys[..] else { return Err(Unwritable::Root) };
    let (name, member) = (text_of(key)?, value.get_item(key)?);
    if is_list(&member) {
        return Err(Unwritable::Root);
    }
    element(&mut out, &name, &member, 0)?;
    Ok(out)
}

fn is_list(value: &Value) -> bool {
    matches!(value.kind(), ValueKind::Seq | ValueKind::Iterable)
}

fn element(out: &mut String, name: &str, value: &Value, depth: usize) -> Result<(), Unwritable> {
    if !is_name(name) {
        return Err(Unwritable::Name);
    }
    if depth == DEPTH {
        return Err(Unwritable::Depth);
    }
    out.push('<');
    out.push_str(name);
    let mut content = String::new();
    match value.kind() {
        ValueKind::Map => members(out, &mut content, value, depth)?,
        ValueKind::None => {}
        _ => escape(&mut content, &text_of(value)?, Place::Text)?,
    }
    if content.is_empty() {
        out.push_str("/>");
    } else {
        out.extend([">", &content, "</", name, ">"]);
    }
    Ok(())
}

/// The attributes of an element into its tag, everything else into its content.
fn members(tag: &mut String, content: &mut String, value: &Value, depth: usize) -> Result<(), Unwritable> {
    for key in value.try_iter()?.checked() {
        let key = key?;
        let member = value.get_item(&key)?;
        let key = text_of(&key)?;
        if let Some(name) = key.strip_prefix('@') {
            if !is_name(name) {
                return Err(Unwritable::Name);
            }
            tag.extend([" ", name, "=\""]);
            escape(tag, &scalar(&member)?, Place::Attribute)?;
            tag.push('"');
        } else if key == TEXT {
            escape(content, &scalar(&member)?, Place::Text)?;
        } else if is_list(&member) {
            for item in member.try_iter()?.checked() {
                let item = item?;
                if is_list(&item) {
                    return Err(Unwritable::List);
                }
                element(content, &key, &item, depth + 1)?;
            }
        } else {
            element(content, &key, &member, depth + 1)?;
        }
    }
    Ok(())
}

fn scalar(value: &Value) -> Result<Cow<'_, str>, Unwritable> {
    match value.kind() {
        ValueKind::None => Ok("".into()),
        ValueKind::Map | ValueKind::Seq | ValueKind::Iterable => Err(Unwritable::Scalar),
        _ => Ok(text_of(value)?),
    }
}

/// Where escaped text goes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Between tags.
    Text,
    /// In an attribute, or a template does not say where: white space is kept in both.
    Attribute,
}

/// Writes text so that XML reads it as it is.
///
/// # Errors
/// A character that XML cannot hold in any form.
pub fn escape(out: &mut impl fmt::Write, text: &str, place: Place) -> Result<(), Unwritable> {
    let failed = |_| Unwritable::Character;
    let mut written = 0;
    for (at, char) in text.char_indices() {
        let escaped = match char {
            '&' => "&amp;",
            '<' => "&lt;",
            '>' => "&gt;",
            '"' => "&quot;",
            '\'' => "&#39;",
            '\r' => "&#13;",
            '\n' if place == Place::Attribute => "&#10;",
            '\t' if place == Place::Attribute => "&#9;",
            char if is_char(char) => continue,
            _ => return Err(Unwritable::Character),
        };
        out.write_str(&text[written..at]).map_err(failed)?;
        out.write_str(escaped).map_err(failed)?;
        written = at + char.len_utf8();
    }
    out.write_str(&text[written..]).map_err(failed)
}

#[cfg(test)]
mod tests {
    use minijinja::value::Serde;
    use serde_json::json;

    use super::*;
    use crate::{json::JsonOf, xml};

    fn written(value: &serde_json::Value, root: Option<&str>) -> Result<String, String> {
        write(&Value::from(Serde(value)), root).map_err(|error| error.to_string())
    }

    #[test]
    fn members_are_elements() {
        for (value, xml) in [
            (json!({"a": null}), "<a/>"),
            (json!({"a": ""}), "<a/>"),
            (json!({"a": [], "b": 1}), "<r><b>1</b></r>"),
            (json!({"a": 1.5, "b": true}), "<r><a>1.5</a><b>true</b></r>"),
            (json!({"a": {"@x": "<\n\"", "#text": "]]>\n"}}), "<a x=\"&lt;&#10;&quot;\">]]&gt;\n</a>"),
            (json!({"a": {"b": [1, {"c": 2}], "@d": null}}), "<a d=\"\"><b>1</b><b><c>2</c></b></a>"),
        ] {
            let root = (value.as_object().unwrap().len() > 1).then_some("r");
            assert_eq!(written(&value, root).as_deref(), Ok(xml));
        }
        assert_eq!(written(&json!(1), Some("a")).as_deref(), Ok("<a>1</a>"));
    }

    #[test]
    fn what_has_no_form_in_xml_is_refused() {
        for value in [
            json!(1),
            json!([1]),
            json!({}),
            json!({"a": 1, "b": 2}),
            json!({"a": [1]}),
            json!({"a b": 1}),
            json!({"@a": 1}),
            json!({"a": {"@b c": 1}}),
            json!({"a": {"@b": [1]}}),
            json!({"a": {"#text": {}}}),
            json!({"a": {"b": [[1]]}}),
            json!({"a": "\u{1}"}),
            json!({"a": "\u{ffff}"}),
        ] {
            assert!(written(&value, None).is_err(), "{value}");
        }
        let nested = (0..=DEPTH).fold(json!(1), |value, _| json!({"a": value}));
        assert!(written(&nested, None).is_err());
    }

    fn any_element() -> impl proptest::strategy::Strategy<Value = serde_json::Value> {
        use proptest::prelude::*;
        let leaf = any::<String>().prop_map(serde_json::Value::from);
        leaf.prop_recursive(4, 24, 4, |inner| {
            prop::collection::vec(("[a-c@]?[a-zé:][a-c.-]{0,2}", inner), 1..4).prop_map(|members| {
                let members = members.into_iter().map(|(name, value)| match name.strip_prefix('@') {
                    Some(_) => (name, json!("text")),
                    None => (name, value),
                });
                serde_json::Value::Object(members.collect())
            })
        })
    }

    proptest::proptest! {
        /// What is written is well-formed, and reads as it was, whatever its texts are.
        #[test]
        fn values_round_trip(value in any_element(), root in "[a-z]{1,3}") {
            let document = json!({root: value});
            if let Ok(xml) = written(&document, None) {
                let read = xml::parse(xml.as_bytes()).unwrap();
                proptest::prop_assert_eq!(serde_json::to_value(JsonOf(&read)).unwrap(), document);
            }
        }

        #[test]
        fn no_text_panics_the_reader(text in "(<|>|/|a|b=|'|\"|&|;|#|x|\\[CDATA\\[|\\]|!|-|\\?|xml |\\PC){0,30}") {
            let read = xml::parse(text.as_bytes());
            proptest::prop_assert_eq!(read.is_ok(), xml::check(&text).is_ok());
            xml::parse(format!("<a>{text}</a>").as_bytes()).ok();
        }
    }
}
