//! Trees become types.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{Given, parse};
use crate::document::{DocPath, Document, Period, Size, from_node};

#[derive(Debug, Deserialize, PartialEq)]
#[serde(rename_all = "snake_case")]
enum Kind {
    Echo,
    Http(Http),
    Lambda { region: String },
    Pair(u8, u8),
}

#[derive(Debug, Deserialize, PartialEq)]
struct Http {
    url: Option<String>,
}

#[derive(Debug, Deserialize, PartialEq)]
struct Everything {
    kinds: Vec<Kind>,
    numbers: (u8, i64, f64),
    letter: char,
    flag: bool,
    by_number: BTreeMap<u16, String>,
    #[serde(default)]
    period: Option<Period>,
    size: Size,
    any: serde_json::Value,
    nothing: Option<String>,
    empty: Vec<String>,
}

#[test]
fn every_kind_of_type_is_read() {
    let text = "
kinds: [echo, {echo: }, {http: {url: x}}, {http: }, {lambda: {region: eu}}, {pair: [1, 2]}]
numbers: [255, -3, 2]
letter: é
flag: true
by_number: {200: ok, 0x10: hex}
period: 250ms
size: 64KiB
any: {a: [1, -2, 1.5, text, true, ~]}
nothing: ~
empty:
";
    let read: Everything = from_node(parse(text).unwrap().root(), &DocPath::root()).unwrap();
    assert_eq!(
        read,
        Everything {
            kinds: vec![
                Kind::Echo,
                Kind::Echo,
                Kind::Http(Http { url: Some("x".into()) }),
                Kind::Http(Http { url: None }),
                Kind::Lambda { region: "eu".into() },
                Kind::Pair(1, 2),
            ],
            numbers: (255, -3, 2.0),
            letter: 'é',
            flag: true,
            by_number: BTreeMap::from([(200, "ok".into()), (16, "hex".into())]),
            period: Some(Period::from_millis(250)),
            size: Size::from_bytes(65_536),
            any: serde_json::json!({"a": [1, -2, 1.5, "text", true, null]}),
            nothing: None,
            empty: Vec::new(),
        }
    );
}

#[test]
fn what_a_reference_gives_is_text_where_text_is_wanted() {
    let document = Document::parse("t", "url: ${NUMBER}", &Given::with(&[("NUMBER", "0123")])).unwrap();
    let http: Http = from_node(document.root(), &DocPath::root()).unwrap();
    assert_eq!(http.url.as_deref(), Some("0123"));
}

#[test]
fn a_quoted_reference_gives_a_number_where_one_is_wanted() {
    let document =
        Document::parse("t", "routes: [\"${N}\", \"${F}\"]", &Given::with(&[("N", "12"), ("F", "true")])).unwrap();
    assert_eq!(from_node::<(u8, bool)>(document.root().get("routes").unwrap(), &DocPath::root()), Ok((12, true)));
}

/// Stands for the transformation crate's `Located`.
struct Located(u32, u32, String);

impl<'de> Deserialize<'de> for Located {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Parts;
        impl<'de> serde::de::Visitor<'de> for Parts {
            type Value = Located;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a place and a value")
            }

            fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut parts: A) -> Result<Located, A::Error> {
                let missing = || serde::de::Error::custom("missing");
                let _source: u32 = parts.next_element()?.ok_or_else(missing)?;
                let line = parts.next_element()?.ok_or_else(missing)?;
                let column = parts.next_element()?.ok_or_else(missing)?;
                Ok(Located(line, column, parts.next_element()?.ok_or_else(missing)?))
            }
        }
        deserializer.deserialize_newtype_struct(crate::document::LOCATED, Parts)
    }
}

#[test]
fn a_value_can_ask_for_its_place() {
    let document = parse("a: 1\nb:\n  - x\n  - yy\n").unwrap();
    let list: Vec<Located> = from_node(document.root().get("b").unwrap(), &DocPath::root()).unwrap();
    assert_eq!((list[1].0, list[1].1, list[1].2.as_str()), (4, 5, "yy"));
    let map: BTreeMap<String, serde_json::Value> = from_node(document.root(), &DocPath::root()).unwrap();
    assert_eq!(map.len(), 2);
}
