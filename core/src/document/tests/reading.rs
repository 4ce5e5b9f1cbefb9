//! Trees become types.

use std::collections::BTreeMap;

use callgate_transform::{Located, Position};
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

#[test]
fn a_value_or_a_key_can_ask_for_its_place() {
    let document = parse("a: 1\nb:\n  - x\n  - yy\n").unwrap();
    let list: Vec<Located<String>> = from_node(document.root().get("b").unwrap(), &DocPath::root()).unwrap();
    assert_eq!(list[1], Located { value: "yy".to_owned(), at: Position { source: 0, line: 4, column: 5 } });
    let map: Vec<(String, u32)> = from_node::<Pairs>(document.root(), &DocPath::root()).unwrap().0;
    assert_eq!(map, [("a".to_owned(), 1), ("b".to_owned(), 2)]);
}

/// The keys of a mapping with their lines.
struct Pairs(Vec<(String, u32)>);

impl<'de> Deserialize<'de> for Pairs {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Keys;
        impl<'de> serde::de::Visitor<'de> for Keys {
            type Value = Pairs;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a mapping")
            }

            fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<Pairs, A::Error> {
                let mut keys = Vec::new();
                while let Some((key, _)) = map.next_entry::<Located<String>, serde::de::IgnoredAny>()? {
                    keys.push((key.value, key.at.line));
                }
                Ok(Pairs(keys))
            }
        }
        deserializer.deserialize_map(Keys)
    }
}

#[test]
fn a_wrong_value_is_at_its_own_place_within_one_that_asks_for_it() {
    let document = parse("a:\n  - 5\n  - x\n").unwrap();
    let flaws = from_node::<Vec<Located<u8>>>(document.root().get("a").unwrap(), &DocPath::root()).unwrap_err();
    assert_eq!((flaws.len(), flaws[0].at.line), (1, 3));
}
