//! No form of a document shows what its references gave.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::json;

use super::Given;
use crate::document::{DocPath, Document, Period, Secret, from_node};

#[test]
fn the_original_text_is_put_back_in_place_and_values_are_hidden_anywhere() {
    let given = Given::with(&[("TOKEN", "hunter2"), ("N", "12"), ("PORT", "8080")]);
    let text = "a:\n  token: Bearer ${TOKEN}\n  n: ${N}\nport: ${PORT}\nd: ${X:-plain}";
    let document = Document::parse("t", text, &given).unwrap();
    let form = json!({
        "a": {"token": "Bearer hunter2", "n": 12, "other": 12},
        "port": 8080,
        "d": "plain",
        "url": ["http://u:hunter2@h:8080/", 8080, null],
        "hunter2": "plain",
    });
    assert_eq!(
        document.mask(form),
        json!({
            "a": {"token": "Bearer ${TOKEN}", "n": "${N}", "other": 12},
            "port": "${PORT}",
            "d": "${X:-plain}",
            "url": ["http://u:${TOKEN}@h:${PORT}/", "${PORT}", null],
            "${TOKEN}": "plain",
        })
    );
}

#[test]
fn a_key_that_the_document_shows_stays() {
    let document = Document::parse("t", "prod: ${ENV}", &Given::with(&[("ENV", "prod")])).unwrap();
    assert_eq!(document.mask(json!({"prod": "prod"})), json!({"prod": "${ENV}"}));
}

#[test]
fn of_values_that_contain_each_other_the_longest_is_hidden() {
    let given = Given::with(&[("A", "abcd"), ("B", "abcdefgh")]);
    let document = Document::parse("t", "a: ${A}\nb: ${B}", &given).unwrap();
    assert_eq!(document.mask(json!(["abcdefgh-abcd"])), json!(["${B}-${A}"]));
}

#[test]
fn a_failed_value_is_not_shown_by_its_error() {
    let given = Given::with(&[("A", "hunter2"), ("B", "x9")]);
    let document = Document::parse("t", "a: ${A}\nb: \"${B}\"", &given).unwrap();
    let flaws = from_node::<BTreeMap<String, Period>>(document.root(), &DocPath::root()).unwrap_err();
    assert_eq!(flaws.len(), 2);
    let report = format!("{flaws:?} {}", document.report(flaws.clone()));
    assert!(!report.contains("hunter2") && !report.contains("x9"), "{report}");
    assert!(report.contains("${A}") && report.contains("${B}"), "{report}");
}

proptest! {
    #[test]
    fn no_secret_leaks(secret in "[a-z0-9]{4,20}", before in "[ -~é]{0,10}", after in "[ -~é]{0,10}") {
        let given = Given::with(&[("SECRET", &secret)]);
        let document = Document::parse("t", "{S: \"${SECRET}\", T: [\"${SECRET}\"]}", &given).unwrap();
        let form = json!({
            "S": secret,
            "T": {"deep": [format!("{before}{secret}{after}"), {"x": secret.repeat(2)}]},
            (format!("{before}{secret}")): 1,
        });
        let shown = document.mask(form).to_string();
        // The text around it may hold it by chance.
        prop_assume!(!before.contains(&secret) && !after.contains(&secret));
        prop_assert!(!shown.contains(&secret), "{}", shown);
        let debugged = format!("{document:?}");
        prop_assert!(!debugged.contains(&secret));
        let typed: Result<BTreeMap<String, u8>, _> = from_node(document.root(), &DocPath::root());
        let report = typed.map_err(|flaws| document.report(flaws).to_string());
        let reported = format!("{report:?}");
        prop_assert!(!reported.contains(&secret));
    }

    #[test]
    fn a_secret_survives_the_way_from_reference_to_type(value in "[ -~]{1,30}") {
        let given = Given::with(&[("SECRET", &value)]);
        let document = Document::parse("t", "a: ${SECRET}", &given).unwrap();
        let secrets: BTreeMap<String, Secret> = from_node(document.root(), &DocPath::root()).unwrap();
        prop_assert_eq!(secrets["a"].expose(), value);
    }
}
