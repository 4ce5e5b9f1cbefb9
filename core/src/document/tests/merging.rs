//! Several files become one document.

use std::{fs, path::Path};

use super::{Given, folder};
use crate::document::{Document, Report, Span, Texts};

fn load(folder: &tempfile::TempDir, name: &str) -> Result<Document, Report> {
    Document::load(&folder.path().join(name), &Given::default())
}

/// A report without the folder's own name.
fn report(folder: &tempfile::TempDir, name: &str) -> String {
    let shown = folder.path().display().to_string();
    let report = load(folder, name).unwrap_err().to_string();
    report.replace(&format!("{shown}/"), "").replace(&shown, "FOLDER")
}

#[test]
fn included_files_are_merged_recursively_in_order() {
    let folder = folder(&[
        ("main.yaml", "include: [parts/*.yaml]\nroutes: [m]\ntests: [m]\nupstreams: {u: 1}\nadmin: {a: 1}"),
        ("parts/b.yaml", "routes: [b]\nhosts: {h: {}}"),
        ("parts/a.yaml", "include: [deep/x.yaml]\nroutes: [a]\ntests: [a]\nupstreams: {v: 2}\nshutdown: {}"),
        ("parts/deep/x.yaml", "routes: [x]"),
        ("parts/no.txt", "routes: [no]"),
    ]);
    let document = load(&folder, "main.yaml").unwrap();
    assert_eq!(
        format!("{:?}", document.root()),
        r#"{"routes": ["m", "a", "x", "b"], "tests": ["m", "a"], "upstreams": {"u": 1, "v": 2}, "admin": {"a": 1}, "shutdown": {}, "hosts": {"h": {}}}"#
    );
    assert_eq!(document.files().len(), 4);
}

#[test]
fn a_folder_is_all_its_files_and_each_is_merged_once() {
    let folder = folder(&[
        ("a.yaml", "include: [b.yml]\nroutes: [a]"),
        ("b.yml", "routes: [b]"),
        ("c.txt", "x"),
        (".hidden.yaml", "routes: [hidden]"),
        ("d/e.yaml", "routes: [e]"),
    ]);
    let document = load(&folder, "").unwrap();
    assert_eq!(format!("{:?}", document.root()), r#"{"routes": ["a", "b"]}"#);
}

#[test]
fn a_glob_passes_over_the_file_it_stands_in() {
    let folder = folder(&[
        ("a.yaml", "include: ['*.yaml']\nroutes: [a]"),
        ("b.yaml", "routes: [b]"),
        (".c.yaml", "routes: [c]"),
    ]);
    let document = load(&folder, "a.yaml").unwrap();
    assert_eq!(format!("{:?}", document.root()), r#"{"routes": ["a", "b"]}"#);
}

#[test]
fn a_name_defined_twice_names_both_places() {
    let folder = folder(&[
        ("main.yaml", "include: [more.yaml]\nupstreams:\n  orders: {echo: {}}\nadmin: {}\n"),
        ("more.yaml", "upstreams:\n  orders: {echo: {}}\nadmin: {}\n"),
    ]);
    insta::assert_snapshot!(report(&folder, "main.yaml"), @r"
    error: the upstream `orders` is defined twice
      --> more.yaml:2:3 in upstreams
       |
     2 |   orders: {echo: {}}
       |   ^^^^^^
       = note: it is defined first: main.yaml:3:3

    error: `admin` is given a second time
      --> more.yaml:3:1 in admin
       |
     3 | admin: {}
       | ^^^^^
       = note: it is given first: main.yaml:4:1

    2 errors in more.yaml
    ");
}

#[test]
fn an_include_that_reaches_nothing_is_an_error_at_its_place() {
    let folder = folder(&[("main.yaml", "include: [no/*.yaml, none.yaml, 5, \"[\"]\n")]);
    insta::assert_snapshot!(report(&folder, "main.yaml"), @r#"
    error: `no/*.yaml` matches no file below `FOLDER`
      --> main.yaml:1:11 in include[0]
       |
     1 | include: [no/*.yaml, none.yaml, 5, "["]
       |           ^^^^^^^^^

    error: cannot read `none.yaml`: No such file or directory (os error 2)
      --> main.yaml:1:22 in include[1]
       |
     1 | include: [no/*.yaml, none.yaml, 5, "["]
       |                      ^^^^^^^^^

    error: expected a file name or a glob
      --> main.yaml:1:33 in include[2]
       |
     1 | include: [no/*.yaml, none.yaml, 5, "["]
       |                                 ^

    error: `[` is not a glob: invalid range pattern
      --> main.yaml:1:36 in include[3]
       |
     1 | include: [no/*.yaml, none.yaml, 5, "["]
       |                                    ^^^

    4 errors in main.yaml
    "#);
}

#[test]
fn a_cycle_of_includes_is_an_error() {
    let folder = folder(&[("a.yaml", "include: [b.yaml]\n"), ("b.yaml", "include: [a.yaml]\n")]);
    insta::assert_snapshot!(report(&folder, "a.yaml"), @r"
    error: `a.yaml` includes itself, directly or by way of others
      --> b.yaml:1:11 in include[0]
       |
     1 | include: [a.yaml]
       |           ^^^^^^

    1 error in b.yaml
    ");
}

#[test]
fn errors_of_all_files_are_reported_together() {
    let folder = folder(&[
        ("main.yaml", "include: [a.yaml, b.yaml]\nroutes: [\"${NOT_SET}\"]\n"),
        ("a.yaml", "a: [\n"),
        ("b.yaml", "x: 1\nx: 2\n"),
    ]);
    insta::assert_snapshot!(report(&folder, "main.yaml"), @r#"
    error: the environment variable `NOT_SET` is not set
      --> main.yaml:2:11 in routes[0]
       |
     2 | routes: ["${NOT_SET}"]
       |           ^^^^^^^^^^
       = help: set NOT_SET, or give a default: `${NOT_SET:-...}`

    error: this is not valid YAML: unclosed bracket '['
      --> a.yaml:1:4 in a[0]
       |
     1 | a: [
       |    ^

    error: the key `x` is there twice
      --> b.yaml:2:1
       |
     2 | x: 2
       | ^
       = note: it is there first: b.yaml:1:1

    3 errors in 3 files
    "#);
}

#[test]
fn a_document_that_is_not_there_is_an_error() {
    let folder = folder(&[]);
    insta::assert_snapshot!(report(&folder, "none.yaml"), @r"
    error: cannot read `none.yaml`: No such file or directory (os error 2)

    1 error
    ");
    assert!(report(&folder, "").contains("holds no *.yaml"));
}

#[test]
fn a_file_that_is_not_text_is_an_error() {
    let folder = folder(&[]);
    fs::write(folder.path().join("a.yaml"), b"a: \xff\xfe").unwrap();
    assert!(report(&folder, "a.yaml").contains("UTF-8"));
}

#[test]
fn references_of_an_included_file_are_relative_to_it() {
    let folder = folder(&[
        ("main.yaml", "include: [parts/a.yaml]"),
        ("parts/a.yaml", "upstreams: {u: \"${file:key}\"}"),
        ("parts/key", "k\n"),
    ]);
    let document = Document::load(&folder.path().join("main.yaml"), &crate::document::System).unwrap();
    assert_eq!(document.root().get("upstreams").unwrap().get("u").unwrap().as_str(), Some("k"));
    assert_eq!(document.files().len(), 3);
}

fn texts(held: &[(&str, &str)]) -> Texts {
    let held = held.iter().map(|(name, text)| ((*name).to_owned(), text.as_bytes().to_vec()));
    Texts::new("nats://broker/config", held.collect())
}

#[test]
fn texts_that_are_no_files_include_one_another() {
    let texts = texts(&[
        ("callgate.yaml", "include: ['routes/*.yaml', shared.yaml]\nroutes: [m]"),
        ("routes/a.yaml", "include: [../deep/x.yaml]\nroutes: [a]"),
        ("routes/b.yaml", "routes: [b]"),
        ("routes/deep/c.yaml", "routes: [c]"),
        ("deep/x.yaml", "routes: [x]"),
        ("shared.yaml", "routes: ['${A}', '${file:key}']"),
    ]);
    let mut given = Given::with(&[("A", "v")]);
    // It is no text, and begins at the working directory.
    given.files.insert("key".to_owned(), "k".to_owned());
    let (document, missing) = Document::survey_texts(&texts, "callgate.yaml", &given).unwrap();
    assert!(missing.is_empty());
    assert_eq!(
        format!("{:?}", document.root().get("routes").unwrap()),
        r#"["m", "a", "x", "b", "${A}", "${file:key}"]"#
    );
    assert_eq!(document.folder(Span::default()), Path::new(""));
    assert_eq!(document.files(), [Path::new("key")]);
    let place = document.sources().place(document.root().get("routes").unwrap().items()[2].at);
    assert_eq!(place, "nats://broker/config/deep/x.yaml:1:10");
}

#[test]
fn what_texts_include_and_is_not_there_is_an_error_at_its_place() {
    let refused = |held: &[(&str, &str)]| {
        Document::survey_texts(&texts(held), "callgate.yaml", &Given::default()).err().unwrap().brief().to_string()
    };
    let report = refused(&[("callgte.yaml", "")]);
    assert!(report.contains("there is no `callgate.yaml` in `nats://broker/config`"), "{report}");
    assert!(report.contains("did you mean `callgte.yaml`?"), "{report}");
    let include = "include: [route.yaml, no/*.yaml, ../a.yaml, /etc/callgate.yaml, itself.yaml]";
    let itself = "include: [callgate.yaml]";
    let report = refused(&[("callgate.yaml", include), ("routes.yaml", ""), ("itself.yaml", itself)]);
    for told in [
        "there is no `route.yaml` in `nats://broker/config`",
        "nats://broker/config/callgate.yaml:1:11",
        "did you mean `routes.yaml`?",
        "`no/*.yaml` matches nothing: there is no `nats://broker/config/no/*.yaml`",
        "`../a.yaml` leads out of what `nats://broker/config/callgate.yaml` is in",
        "`/etc/callgate.yaml` leads out of",
        "`nats://broker/config/callgate.yaml` includes itself",
    ] {
        assert!(report.contains(told), "{told}: {report}");
    }
    let broken = Texts::new("nats://broker/config", [("callgate.yaml".to_owned(), vec![0xff])].into());
    let report = Document::survey_texts(&broken, "callgate.yaml", &Given::default()).err().unwrap();
    assert!(report.to_string().contains("`nats://broker/config/callgate.yaml` is not UTF-8"), "{report}");
}
