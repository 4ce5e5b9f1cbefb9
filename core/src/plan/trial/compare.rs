//! What was expected, what came, and where they differ.

use std::fmt;

use bytes::Bytes;
use callgate_transform::OneOrMany;
use http::{HeaderMap, Request, Response};
use percent_encoding::percent_decode_str;
use serde_json::Value;

use super::settings::{Content, ExpectedHeaders, ExpectedRequest, ExpectedResponse};
use crate::{document::DocPath, plan::matcher::Condition, routing::ValueTest};

/// How much of a value is shown.
const SHOWN: usize = 300;

/// A field that is not as expected.
#[derive(Debug, PartialEq, Eq)]
pub struct Difference {
    /// The field: `request.body.items[0].sku`.
    pub field: String,
    /// What was expected.
    pub expected: String,
    /// What came.
    pub got: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { field, expected, got } = self;
        writeln!(f, "  {field}\n    expected {expected}\n    got      {got}")
    }
}

/// Collects differences.
#[derive(Debug, Default)]
pub(super) struct Comparison(pub(super) Vec<Difference>);

impl Comparison {
    pub(super) fn differs(&mut self, field: &DocPath, expected: impl Into<String>, got: impl Into<String>) {
        let (expected, got) = (short(expected.into()), short(got.into()));
        self.0.push(Difference { field: field.to_string(), expected, got });
    }

    fn same(&mut self, field: &DocPath, expected: &str, got: &str) {
        if expected != got {
            self.differs(field, expected, got);
        }
    }

    pub(super) fn request(&mut self, expected: &ExpectedRequest, got: &Request<Bytes>) {
        let at = DocPath::root().key("request");
        if let Some(method) = &expected.method {
            self.same(&at.key("method"), method.0.as_str(), got.method().as_str());
        }
        if let Some(path) = &expected.path {
            let whole = got.uri().path_and_query().map_or("", |whole| whole.as_str());
            self.same(&at.key("path"), path, if path.contains('?') { whole } else { got.uri().path() });
        }
        let pairs: Vec<_> = got.uri().query().map(pairs).into_iter().flatten().collect();
        for (name, values) in &expected.query {
            let got = pairs.iter().filter(|(key, _)| key == name).map(|(_, value)| value.clone()).collect();
            self.values(&at.key("query").key(name), values, got);
        }
        self.headers(&at, &expected.headers, got.headers());
        self.body(&at, expected.body.as_ref(), got.body());
    }

    pub(super) fn response(&mut self, expected: &ExpectedResponse, got: &Response<Bytes>) {
        let at = DocPath::root().key("response");
        if let Some(status) = expected.status {
            self.same(&at.key("status"), status.0.as_str(), got.status().as_str());
        }
        self.headers(&at, &expected.headers, got.headers());
        self.body(&at, expected.body.as_ref(), got.body());
    }

    fn headers(&mut self, at: &DocPath, expected: &ExpectedHeaders, got: &HeaderMap) {
        for (name, values) in &expected.0 {
            let got = got.get_all(name).into_iter();
            let got = got.map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned()).collect();
            self.values(&at.key("headers").key(name.as_str()), values, got);
        }
    }

    /// One condition is on the only value; several are on as many values, in their order.
    fn values(&mut self, at: &DocPath, expected: &OneOrMany<Condition>, got: Vec<String>) {
        let holds = match expected.0.as_slice() {
            [Condition(ValueTest::Present)] => !got.is_empty(),
            [Condition(ValueTest::Absent)] => got.is_empty(),
            many => many.len() == got.len() && many.iter().zip(&got).all(|(test, value)| passes(&test.0, value)),
        };
        if holds {
            return;
        }
        let wanted: Vec<_> = expected.iter().map(|test| test.0.to_string()).collect();
        self.differs(at, listed(wanted), listed(got));
    }

    fn body(&mut self, at: &DocPath, expected: Option<&Content>, got: &Bytes) {
        let at = at.key("body");
        let text =
            || std::str::from_utf8(got).map_or_else(|_| format!("{} bytes that are not text", got.len()), quoted);
        match expected {
            None => {}
            Some(Content::None) if got.is_empty() => {}
            Some(Content::None) => self.differs(&at, "nothing", text()),
            Some(Content::Json(tree)) => match serde_json::from_slice(got) {
                Ok(got) => self.json(&at, tree, &got),
                Err(_) if got.is_empty() => self.differs(&at, tree.to_string(), "nothing"),
                Err(_) => self.differs(&at, tree.to_string(), format!("{}, which is not JSON", text())),
            },
            Some(Content::Text(expected)) => match std::str::from_utf8(got) {
                Ok(got) => self.text(&at, expected, got),
                Err(_) => self.differs(&at, quoted(expected), text()),
            },
        }
    }

    /// The first line that differs, so that a long text is readable.
    fn text(&mut self, at: &DocPath, expected: &str, got: &str) {
        if expected == got {
            return;
        }
        let (wanted, came) = (expected.split('\n').collect::<Vec<_>>(), got.split('\n').collect::<Vec<_>>());
        if wanted.len() == 1 && came.len() == 1 {
            return self.differs(at, quoted(expected), quoted(got));
        }
        let same = wanted.iter().zip(&came).take_while(|(one, other)| one == other).count();
        let line = |lines: &[&str]| lines.get(same).map_or_else(|| "nothing".to_owned(), |line| quoted(line));
        let (expected, got) = (short(line(&wanted)), short(line(&came)));
        self.0.push(Difference { field: format!("{at}, line {}", same + 1), expected, got });
    }

    fn json(&mut self, at: &DocPath, expected: &Value, got: &Value) {
        match (expected, got) {
            (Value::Object(expected), Value::Object(got)) => {
                for (name, expected) in expected {
                    match got.get(name) {
                        Some(got) => self.json(&at.key(name), expected, got),
                        None => self.differs(&at.key(name), expected.to_string(), "nothing"),
                    }
                }
                for (name, got) in got.iter().filter(|(name, _)| !expected.contains_key(*name)) {
                    self.differs(&at.key(name), "nothing", got.to_string());
                }
            }
            (Value::Array(expected), Value::Array(got)) => {
                let nothing = || "nothing".to_owned();
                for index in 0..expected.len().max(got.len()) {
                    let at = at.index(index);
                    match (expected.get(index), got.get(index)) {
                        (Some(expected), Some(got)) => self.json(&at, expected, got),
                        (expected, got) => self.differs(
                            &at,
                            expected.map_or_else(nothing, Value::to_string),
                            got.map_or_else(nothing, Value::to_string),
                        ),
                    }
                }
            }
            // JSON has one kind of number: 1 and 1.0 are the same.
            (Value::Number(one), Value::Number(other)) if one.as_f64() == other.as_f64() => {
                if one.is_f64() == other.is_f64() && one != other {
                    self.differs(at, one.to_string(), other.to_string());
                }
            }
            _ if expected == got => {}
            _ => self.differs(at, expected.to_string(), got.to_string()),
        }
    }
}

fn passes(test: &ValueTest, value: &str) -> bool {
    match test {
        ValueTest::Equals(text) => **text == *value,
        ValueTest::Present => true,
        ValueTest::Absent => false,
        ValueTest::Regex(regex) => regex.is_match(value),
    }
}

/// The pairs of a query, decoded as forms are.
fn pairs(query: &str) -> impl Iterator<Item = (String, String)> {
    let decode = |text: &str| percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned();
    query.split('&').filter(|pair| !pair.is_empty()).map(move |pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        (decode(name), decode(value))
    })
}

fn listed(mut values: Vec<String>) -> String {
    match values.len() {
        0 => "nothing".to_owned(),
        1 => values.remove(0),
        _ => format!("[{}]", values.join(", ")),
    }
}

fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

fn short(text: String) -> String {
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}... ({} bytes)", &text[..end], text.len()),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn bodies(expected: &Content, got: &str) -> Vec<(String, String, String)> {
        let mut comparison = Comparison::default();
        comparison.body(&DocPath::root().key("request"), Some(expected), &Bytes::copy_from_slice(got.as_bytes()));
        comparison.0.into_iter().map(|found| (found.field, found.expected, found.got)).collect()
    }

    fn found(field: &str, expected: &str, got: &str) -> (String, String, String) {
        (field.to_owned(), expected.to_owned(), got.to_owned())
    }

    #[test]
    fn json_differs_by_path_and_not_by_order_or_spelling() {
        assert_eq!(bodies(&Content::Json(json!({"a": 1, "b": [1.5, "x"]})), r#"{"b":[1.50,"\u0078"],"a":1.0}"#), []);
        assert_eq!(
            bodies(&Content::Json(json!({"a": {"b c": [1, 2]}, "d": null})), r#"{"a":{"b c":[1,"2",3]},"e":true}"#),
            [
                found("request.body.a[\"b c\"][1]", "2", "\"2\""),
                found("request.body.a[\"b c\"][2]", "nothing", "3"),
                found("request.body.d", "null", "nothing"),
                found("request.body.e", "nothing", "true"),
            ]
        );
    }

    #[test]
    fn whole_numbers_beyond_the_precision_of_a_float_differ() {
        let big = 9_007_199_254_740_993_u64;
        assert_eq!(bodies(&Content::Json(json!(big)), "9007199254740993"), []);
        assert_eq!(bodies(&Content::Json(json!(big)), "9007199254740992").len(), 1);
    }

    #[test]
    fn what_is_no_json_is_told() {
        let expected = || Content::Json(json!({}));
        assert_eq!(bodies(&expected(), "a\"b"), [found("request.body", "{}", r#""a\"b", which is not JSON"#)]);
        assert_eq!(bodies(&expected(), ""), [found("request.body", "{}", "nothing")]);
        assert_eq!(bodies(&Content::None, "x"), [found("request.body", "nothing", "\"x\"")]);
    }

    #[test]
    fn a_text_differs_by_its_first_line_that_does() {
        assert_eq!(bodies(&Content::Text("a\nb".into()), "a\nb"), []);
        assert_eq!(bodies(&Content::Text("a b".into()), "a"), [found("request.body", "\"a b\"", "\"a\"")]);
        assert_eq!(
            bodies(&Content::Text("a\nb\nc".into()), "a\nB\nc"),
            [found("request.body, line 2", "\"b\"", "\"B\"")]
        );
        assert_eq!(bodies(&Content::Text("a\nb".into()), "a"), [found("request.body, line 2", "\"b\"", "nothing")]);
    }

    #[test]
    fn one_condition_is_on_the_only_value_and_a_list_on_all() {
        let holds = |expected: Value, got: &[&str]| {
            let expected: OneOrMany<Condition> = serde_json::from_value(expected).unwrap();
            let mut comparison = Comparison::default();
            comparison.values(&DocPath::root(), &expected, got.iter().map(ToString::to_string).collect());
            comparison.0.is_empty()
        };
        assert!(holds(json!("a"), &["a"]) && !holds(json!("a"), &["a", "a"]) && !holds(json!("a"), &[]));
        assert!(holds(json!(["a", {"regex": "b+"}]), &["a", "bb"]) && !holds(json!(["a", "b"]), &["b", "a"]));
        assert!(holds(json!({"absent": true}), &[]) && !holds(json!({"absent": true}), &["a"]));
        assert!(holds(json!({"present": true}), &["a", "b"]) && !holds(json!({"present": true}), &[]));
    }
}
