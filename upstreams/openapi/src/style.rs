//! Values as texts: `style` and `explode` of the specification, section "Style Examples".

use std::borrow::Cow;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

/// All but the unreserved characters of RFC 3986.
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// What stands in a query where reserved characters are allowed: those that part parameters are escaped nevertheless,
/// for a value must not become a parameter.
const RESERVED: &AsciiSet = &UNRESERVED
    .remove(b':')
    .remove(b'/')
    .remove(b'?')
    .remove(b'@')
    .remove(b'!')
    .remove(b'$')
    .remove(b'\'')
    .remove(b'(')
    .remove(b')')
    .remove(b'*')
    .remove(b',')
    .remove(b';')
    .remove(b'=');

/// How a value is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// `;name=value` of a path.
    Matrix,
    /// `.value` of a path.
    Label,
    /// `a,b` of a path or header.
    Simple,
    /// `name=value` of a query or cookie.
    Form,
    /// `name=a%20b`.
    SpaceDelimited,
    /// `name=a%7Cb`.
    PipeDelimited,
    /// `name=a%09b`, of Swagger 2.0.
    TabDelimited,
    /// `name[field]=value`.
    DeepObject,
}

/// How characters of values are escaped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Escape {
    /// Percent-encoded.
    Percent,
    /// Percent-encoded, but for reserved characters.
    Reserved,
    /// Not at all, as in headers.
    No,
}

impl Style {
    pub(crate) fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "matrix" => Self::Matrix,
            "label" => Self::Label,
            "simple" => Self::Simple,
            "form" | "cookie" => Self::Form,
            "spaceDelimited" => Self::SpaceDelimited,
            "pipeDelimited" => Self::PipeDelimited,
            "deepObject" => Self::DeepObject,
            _ => return None,
        })
    }

    /// What parts the items of a list that is one text.
    pub(crate) fn delimiter(self, explode: bool) -> Option<char> {
        match self {
            Self::Form if explode => None,
            Self::Matrix | Self::Label | Self::Simple | Self::Form => Some(','),
            Self::SpaceDelimited => Some(' '),
            Self::PipeDelimited => Some('|'),
            Self::TabDelimited => Some('\t'),
            Self::DeepObject => None,
        }
    }
}

/// A text, escaped.
pub(crate) fn escape(text: &str, how: Escape) -> Cow<'_, str> {
    match how {
        Escape::Percent => utf8_percent_encode(text, UNRESERVED).into(),
        Escape::Reserved => utf8_percent_encode(text, RESERVED).into(),
        Escape::No => Cow::Borrowed(text),
    }
}

/// A value that is no list and no object as text; what is nested where that has no meaning is JSON.
pub(crate) fn text(value: &Value) -> Cow<'_, str> {
    match value {
        Value::String(text) => Cow::Borrowed(text),
        Value::Null => Cow::Borrowed(""),
        other => Cow::Owned(other.to_string()),
    }
}

/// A value without a name: a segment of a path, or a header.
pub(crate) fn bare(style: Style, explode: bool, name: &str, value: &Value, how: Escape) -> String {
    let name = || escape(name, how);
    let assigned = |text: String| match text.is_empty() {
        true => format!(";{}", name()),
        false => format!(";{}={text}", name()),
    };
    let pair = |sign: &str, (key, value): (&String, &Value)| {
        format!("{}{sign}{}", escape(key, how), escape(&text(value), how))
    };
    match (style, value) {
        (Style::Matrix, Value::Array(items)) if explode => {
            present(items).map(|item| assigned(escape(&text(item), how).into_owned())).collect()
        }
        (Style::Matrix, Value::Object(fields)) if explode => {
            fields.iter().filter(|(_, value)| !value.is_null()).map(|field| format!(";{}", pair("=", field))).collect()
        }
        (Style::Matrix, value) => assigned(joined(value, ",", ",", ",", how)),
        (Style::Label, value) if explode => format!(".{}", joined(value, ".", "=", ".", how)),
        (Style::Label, value) => format!(".{}", joined(value, ",", ",", ",", how)),
        (_, value) if explode => joined(value, ",", "=", ",", how),
        (_, value) => joined(value, ",", ",", ",", how),
    }
}

/// Name and value of each pair that a parameter of a query, a cookie or a field of a form becomes, escaped.
pub(crate) fn pairs(style: Style, explode: bool, name: &str, value: &Value, how: Escape) -> Vec<(String, String)> {
    let escaped = |text: &str| escape(text, how).into_owned();
    let name_of = |name: &str| escape(name, Escape::Percent).into_owned();
    let delimiter = style.delimiter(false).unwrap_or(',');
    match value {
        Value::Null => Vec::new(),
        Value::Array(_) | Value::Object(_) if style == Style::DeepObject => {
            let mut found = Vec::new();
            deep(name, value, &mut |name, value| found.push((name_of(name), escaped(&text(value)))));
            found
        }
        Value::Array(items) if explode => present(items).map(|item| (name_of(name), escaped(&text(item)))).collect(),
        Value::Object(fields) if explode => {
            let fields = fields.iter().filter(|(_, value)| !value.is_null());
            fields.map(|(key, value)| (name_of(key), escaped(&text(value)))).collect()
        }
        Value::Array(items) if items.is_empty() => Vec::new(),
        value => {
            // A comma parts items as it is; what is no character of a query is escaped.
            let delimiter = if delimiter == ',' { ",".to_owned() } else { name_of(&delimiter.to_string()) };
            vec![(name_of(name), joined(value, &delimiter, &delimiter, &delimiter, how))]
        }
    }
}

/// The fields of an object as `name[field]`, those of objects within as `name[field][field]`, items as `name[0]`.
fn deep(name: &str, value: &Value, found: &mut impl FnMut(&str, &Value)) {
    match value {
        Value::Null => {}
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                deep(&format!("{name}[{index}]"), item, found);
            }
        }
        Value::Object(fields) => {
            for (key, value) in fields {
                deep(&format!("{name}[{key}]"), value, found);
            }
        }
        value => found(name, value),
    }
}

/// A value as one text: items between `comma`, fields between `comma`, a key and its value between `sign`.
fn joined(value: &Value, comma: &str, sign: &str, between: &str, how: Escape) -> String {
    let escaped = |value: &Value| escape(&text(value), how).into_owned();
    match value {
        Value::Array(items) => present(items).map(escaped).collect::<Vec<_>>().join(comma),
        Value::Object(fields) => {
            let fields = fields.iter().filter(|(_, value)| !value.is_null());
            let fields = fields.map(|(key, value)| format!("{}{sign}{}", escape(key, how), escaped(value)));
            fields.collect::<Vec<_>>().join(between)
        }
        value => escaped(value),
    }
}

fn present(items: &[Value]) -> impl Iterator<Item = &Value> {
    items.iter().filter(|item| !item.is_null())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn query(style: Style, explode: bool, value: &Value) -> String {
        let pairs = pairs(style, explode, "color", value, Escape::Percent);
        pairs.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&")
    }

    /// The table of the specification (3.1.1, 3.0.4): the columns empty, string, array and object.
    #[test]
    fn the_table_of_the_specification() {
        let columns =
            [json!(""), json!("blue"), json!(["blue", "black", "brown"]), json!({"R": 100, "G": 200, "B": 150})];
        let path = [
            (Style::Matrix, false, [";color", ";color=blue", ";color=blue,black,brown", ";color=R,100,G,200,B,150"]),
            (
                Style::Matrix,
                true,
                [";color", ";color=blue", ";color=blue;color=black;color=brown", ";R=100;G=200;B=150"],
            ),
            (Style::Label, false, [".", ".blue", ".blue,black,brown", ".R,100,G,200,B,150"]),
            (Style::Label, true, [".", ".blue", ".blue.black.brown", ".R=100.G=200.B=150"]),
            (Style::Simple, false, ["", "blue", "blue,black,brown", "R,100,G,200,B,150"]),
            (Style::Simple, true, ["", "blue", "blue,black,brown", "R=100,G=200,B=150"]),
        ];
        for (style, explode, row) in path {
            for (value, expected) in columns.iter().zip(row) {
                let written = bare(style, explode, "color", value, Escape::Percent);
                assert_eq!(written, expected, "{style:?} {explode} {value}");
            }
        }
        let queries = [
            (Style::Form, false, ["color=", "color=blue", "color=blue,black,brown", "color=R,100,G,200,B,150"]),
            (Style::Form, true, ["color=", "color=blue", "color=blue&color=black&color=brown", "R=100&G=200&B=150"]),
            (
                Style::SpaceDelimited,
                false,
                ["color=", "color=blue", "color=blue%20black%20brown", "color=R%20100%20G%20200%20B%20150"],
            ),
            (
                Style::PipeDelimited,
                false,
                ["color=", "color=blue", "color=blue%7Cblack%7Cbrown", "color=R%7C100%7CG%7C200%7CB%7C150"],
            ),
        ];
        for (style, explode, row) in queries {
            for (value, expected) in columns.iter().zip(row) {
                assert_eq!(query(style, explode, value), expected, "{style:?} {explode} {value}");
            }
        }
        assert_eq!(query(Style::DeepObject, true, &columns[3]), "color%5BR%5D=100&color%5BG%5D=200&color%5BB%5D=150");
    }

    #[test]
    fn values_never_become_syntax() {
        let value = json!(["a,b", "c&d=e", "é/ "]);
        assert_eq!(query(Style::Form, false, &value), "color=a%2Cb,c%26d%3De,%C3%A9%2F%20");
        assert_eq!(
            bare(Style::Matrix, true, "color", &value, Escape::Percent),
            ";color=a%2Cb;color=c%26d%3De;color=%C3%A9%2F%20"
        );
        let reserved = pairs(Style::Form, true, "c", &json!("a/b?c=d&e#f"), Escape::Reserved);
        assert_eq!(reserved, [("c".to_owned(), "a/b?c=d%26e%23f".to_owned())]);
    }

    #[test]
    fn what_the_table_leaves_open() {
        assert_eq!(query(Style::Form, true, &json!([])), "");
        assert_eq!(query(Style::Form, true, &json!([1, null, true])), "color=1&color=true");
        assert_eq!(query(Style::TabDelimited, false, &json!([1, 2])), "color=1%092");
        assert_eq!(query(Style::PipeDelimited, true, &json!([1, 2])), "color=1&color=2");
        assert_eq!(
            query(Style::DeepObject, true, &json!({"a": {"b": [1, 2]}, "c": null})),
            "color%5Ba%5D%5Bb%5D%5B0%5D=1&color%5Ba%5D%5Bb%5D%5B1%5D=2"
        );
        assert_eq!(query(Style::Form, true, &json!({"a": {"b": 1}})), "a=%7B%22b%22%3A1%7D");
    }
}
