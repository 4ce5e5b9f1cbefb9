//! Texts become trees.

use std::collections::HashMap;

use super::{Given, parse, refused};
use crate::document::{Document, Span, Value};

fn shown(text: &str) -> String {
    format!("{:?}", parse(text).unwrap().root())
}

#[test]
fn plain_scalars_have_types_and_quoted_ones_are_text() {
    assert_eq!(
        shown("{a: 1, b: 1.5, c: true, d: ~, e: yes, f: \"1\", g: '~', h: !!str 5, i: }"),
        r#"{"a": 1, "b": 1.5, "c": true, "d": null, "e": "yes", "f": "1", "g": "~", "h": "5", "i": null}"#
    );
}

#[test]
fn tags_of_the_core_schema_are_kept_to_and_others_refused() {
    assert_eq!(
        shown("{a: !!int \"5\", b: !!float 1, c: ! 5, d: !!seq [1], e: !!str ~}"),
        r#"{"a": 5, "b": 1, "c": "5", "d": [1], "e": "~"}"#
    );
    for wrong in ["!!int x", "!!bool 1", "!!map []", "!custom x", "!!binary eA=="] {
        assert!(refused(&format!("a: {wrong}")).contains(" in a\n"), "{wrong}");
    }
}

#[test]
fn block_scalars_are_text() {
    assert_eq!(shown("a: |\n  1\n  2\nb: >-\n  x\n  y\n"), r#"{"a": "1\n2\n", "b": "x y"}"#);
}

#[test]
fn places_are_lines_and_columns_in_characters() {
    let document = parse("é: {ü: [1, zwei]}\nb:\n  c: \"x\"\n").unwrap();
    let root = document.root();
    let zwei = &root.get("é").unwrap().get("ü").unwrap().items()[1];
    assert_eq!(zwei.at, Span { source: 0, line: 1, column: 12, length: 4 });
    let (key, value) = root.get("b").unwrap().entry("c").unwrap();
    assert_eq!(key.at, Span { source: 0, line: 3, column: 3, length: 1 });
    assert_eq!(value.at, Span { source: 0, line: 3, column: 6, length: 3 });
}

#[test]
fn aliases_and_merge_keys_are_expanded() {
    let text = "x: &x {a: 1, b: 2}\ny: *x\nz: {<<: *x, b: 3}\nw: {b: 0, <<: [{c: 4}, *x, {c: 5}]}";
    assert_eq!(
        shown(text),
        r#"{"x": {"a": 1, "b": 2}, "y": {"a": 1, "b": 2}, "z": {"b": 3, "a": 1}, "w": {"b": 0, "c": 4, "a": 1}}"#
    );
}

#[test]
fn an_empty_text_is_an_empty_document() {
    for text in ["", "# nothing\n", "---\n", "\u{feff}"] {
        assert_eq!(shown(text), "{}");
    }
}

#[test]
fn a_byte_order_mark_and_carriage_returns_are_harmless() {
    assert_eq!(shown("\u{feff}a: 1\r\nb: x\r\n"), r#"{"a": 1, "b": "x"}"#);
}

#[test]
fn an_alias_bomb_is_refused_at_once() {
    let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..12 {
        let before = format!("*a{},", level - 1).repeat(9);
        text += &format!("a{level}: &a{level} [{before}]\n");
    }
    assert!(refused(&text).contains("aliases expand to more than"));
}

#[test]
fn nesting_is_bounded_even_by_way_of_aliases() {
    assert!(refused(&"[".repeat(5000)).contains("error"));
    assert!(refused(&format!("{}x{}", "[".repeat(90000), "]".repeat(90000))).contains("error"));
    let nested = |name: &str, inner: &str| format!("{name}: &{name} {}{inner}{}\n", "[".repeat(60), "]".repeat(60));
    let text = nested("a", "x") + &nested("b", "*a");
    assert!(refused(&text).contains("or 100 levels"));
}

#[test]
fn a_plain_reference_takes_the_type_of_its_value_and_a_quoted_one_does_not() {
    let given = Given::with(&[("PORT", "8080"), ("LIST", "[1, 2]"), ("EMPTY", "")]);
    let text =
        "a: ${PORT}\nb: \"${PORT}\"\nc: 1${PORT}\nd: ${LIST}\ne: ${EMPTY}\nf: ${EMPTY:-7}\ng: $${PORT}\nh: ${NO:-true}";
    let document = Document::parse("t", text, &given).unwrap();
    let values: Vec<Value> = document.root().entries().iter().map(|(_, node)| node.value.clone()).collect();
    let text = |text: &str| Value::String(text.to_owned());
    assert_eq!(
        values,
        [
            Value::Integer(8080),
            text("8080"),
            text("18080"),
            text("[1, 2]"),
            Value::Null,
            Value::Integer(7),
            text("${PORT}"),
            Value::Bool(true),
        ]
    );
}

#[test]
fn a_file_reference_loses_one_final_newline_and_is_watched() {
    let mut given = Given::default();
    given.files.insert("conf/key.pem".to_owned(), "one\n\n".to_owned());
    let document = Document::parse("conf/callgate.yaml", "key: ${file:key.pem}", &given).unwrap();
    assert_eq!(document.root().get("key").unwrap().as_str(), Some("one\n"));
    assert_eq!(document.files(), [std::path::PathBuf::from("conf/key.pem")]);
}

proptest::proptest! {
    #[test]
    fn no_text_panics_the_loader(text in "\\PC{0,200}") {
        parse(&text).map_err(|report| report.to_string()).ok();
    }

    #[test]
    fn no_yaml_like_text_panics_the_loader(
        text in "([\\[\\]{}&*a!|>%@`'\"#:,?\\-$~<=. \t\n\r\u{feff}é]|(: )|(- )|(<<: )|(&a )|(\\*a )|(\n  )|(\\$\\{A\\}?)){0,60}"
    ) {
        let given = Given::with(&[("A", "é${A}")]);
        Document::parse("t", &text, &given).map_err(|report| report.to_string()).ok();
    }

    #[test]
    fn a_value_never_changes_the_structure(value in "\\PC{0,40}", quoted: bool) {
        let given = Given::with(&[("VALUE", &value)]);
        let text = if quoted { "a: \"${VALUE}\"\nb: 1" } else { "a: ${VALUE}\nb: 1" };
        let document = Document::parse("t", text, &given).unwrap();
        let node = document.root().get("a").unwrap();
        proptest::prop_assert_eq!(document.root().entries().len(), 2);
        proptest::prop_assert_eq!(node.scalar_text(), Some(value.as_str()));
    }
}

#[test]
fn nodes_say_the_same_wherever_they_are_written_and_by_whatever_reference() {
    let given = Given { files: HashMap::from([("f".to_owned(), "y".to_owned())]), ..Given::with(&[("X", "x")]) };
    let root = |text: &str| Document::parse("t", text, &given).unwrap().root().clone();
    let first = root("{a: x, b: [1, {c: true}]}");
    assert!(first.says_the_same(&root("# moved\na: ${X}\nb:\n- 1\n- c: true\n")));
    for other in ["{a: x, b: [1, {c: false}]}", "{a: x, b: [1]}", "{a: x}", "{a: '${file:f}', b: [1, {c: true}]}"] {
        assert!(!first.says_the_same(&root(other)), "{other}");
    }
    assert!(!root("{a: 1.10}").says_the_same(&root("{a: 1.1}")), "it may be read as text");
}
