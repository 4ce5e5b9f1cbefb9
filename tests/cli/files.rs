//! Every local file that a configuration names is read by `callgate check`, and what is wrong with it is told at its field.
//! The fields are found in the schema, so that one that is added can't be forgotten.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::{callgate, configured, on, ran};

/// What the settings of each kind need besides.
const UPSTREAMS: [(&str, &str); 10] = [
    ("amqp", r#"{"url": "amqps://a"}"#),
    ("azure", r#"{"url": "https://a", "credentials": {"entra": {"audience": "api://a", "workload_identity": {}}}}"#),
    ("gcf", r#"{"url": "https://a"}"#),
    ("grpc", r#"{"url": "https://a"}"#),
    ("lambda", r#"{"region": "eu-west-1"}"#),
    ("local", "{}"),
    ("nats", r#"{"servers": "tls://a"}"#),
    ("openfaas", r#"{"url": "https://a"}"#),
    ("rest", r#"{"url": "https://a"}"#),
    ("soap", r#"{"url": "https://a"}"#),
];
const TRIGGERS: [(&str, &str); 2] = [
    ("amqp", r#"{"url": "amqps://a", "queue": "q"}"#),
    ("nats", r#"{"servers": "tls://a", "subject": "s", "queue": "q"}"#),
];

/// What a field is taken for a file's by: its description.
fn names_a_file(name: &str, description: &str) -> bool {
    let words: BTreeSet<_> = description.split(|char: char| !char.is_alphanumeric()).collect();
    name.ends_with("file")
        || ["file", "files", "File", "Files", "PEM", "folder"].iter().any(|word| words.contains(word))
        || ["ca", "certificate", "private_key"].contains(&name)
}

/// Fields whose description speaks of files, and whose value is the name of none that is read.
const OTHERS: [&str; 4] = [
    // The name of a profile in files that AWS's own tools share.
    "lambda.credentials.profile",
    // One of its forms has a file, which is a field of its own.
    "gcf.credentials",
    // The platform writes it where the gateway runs, and it may come later.
    "azure.credentials.entra.workload_identity.token_file",
    // Folders in which imports are looked for, which need not be there.
    "grpc.include",
];

/// The fields below a schema that name files, as dotted paths.
fn fields(schema: &Value, all: &Value, path: &str, found: &mut BTreeSet<String>) {
    if let Some(name) = schema["$ref"].as_str().and_then(|name| name.strip_prefix("#/$defs/")) {
        fields(&all["$defs"][name], all, path, found);
    }
    for list in ["anyOf", "oneOf", "allOf"] {
        for one in schema[list].as_array().into_iter().flatten() {
            fields(one, all, path, found);
        }
    }
    for (name, field) in schema["properties"].as_object().unwrap_or(&Map::new()) {
        let path = format!("{path}.{name}");
        if names_a_file(name, field["description"].as_str().unwrap_or_default()) {
            found.insert(path.clone());
        }
        fields(field, all, &path, found);
    }
}

fn settings_of(schema: &Value, section: &str, kind: &str) -> Value {
    let kinds = schema["$defs"][section]["oneOf"].as_array().expect("a schema for each kind");
    let found = kinds.iter().find_map(|one| one["properties"].get(kind));
    found.unwrap_or_else(|| panic!("the schema has {section} of the kind {kind}")).clone()
}

fn set(settings: &mut Value, path: &[&str], file: &str) {
    let [first, rest @ ..] = path else { return };
    if rest.is_empty() {
        settings[first] = file.into();
    } else {
        if !settings[first].is_object() {
            settings[first] = json!({});
        }
        set(&mut settings[first], rest, file);
    }
}

/// Checks a document whose one file is missing, and gives the places of what is told.
fn told(document: &Value) -> BTreeMap<String, String> {
    let folder = configured(&document.to_string());
    let done = on(folder.path(), &["check", "--output", "json"], &[]);
    assert_eq!(done.code, Some(1), "{document}\n{}", done.out);
    let told: Value = serde_json::from_str(&done.out).expect("JSON");
    let flaws = told["error"]["flaws"].as_array().cloned().unwrap_or_default();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    flaws.iter().map(|flaw| (text(&flaw["path"]), text(&flaw["message"]))).collect()
}

#[test]
fn every_file_of_every_kind_is_read_at_its_field() {
    let schema: Value = serde_json::from_str(&ran(&mut callgate(&["schema"])).out).expect("JSON");
    let mut tried = 0;
    let cases = UPSTREAMS.iter().map(|case| ("Upstream", "upstreams", case));
    for (definition, section, (kind, needed)) in cases.chain(TRIGGERS.iter().map(|case| ("Trigger", "triggers", case)))
    {
        let mut found = BTreeSet::new();
        fields(&settings_of(&schema, definition, kind), &schema, kind, &mut found);
        for field in found.iter().filter(|field| !OTHERS.contains(&&***field)) {
            let mut settings: Value = serde_json::from_str(needed).expect("JSON");
            let path: Vec<_> = field.split('.').skip(1).collect();
            set(&mut settings, &path, "no-such-file");
            // The two go together.
            for (one, other) in [(".certificate", "private_key"), (".private_key", "certificate")] {
                if field.ends_with(one) {
                    let mut beside = path.clone();
                    *beside.last_mut().expect("a field") = other;
                    set(&mut settings, &beside, "no-such-file");
                }
            }
            let mut document = json!({"upstreams": {"echo": {"echo": {}}}, "routes": []});
            document[section]["u"] = json!({*kind: settings});
            if section == "triggers" {
                document[section]["u"]["to"] = "echo".into();
            }
            let told = told(&document);
            let message = told.get(&format!("{section}.u.{field}"));
            let message = message.unwrap_or_else(|| panic!("{field} is told at its place: {told:?}"));
            assert!(message.contains("no-such-file"), "{field}: {message}");
            assert!(!message.contains("holds no"), "{field}: a missing file is not an empty one: {message}");
            tried += 1;
        }
    }
    assert!(tried > 30, "the fields were found: {tried}");
}

#[test]
fn what_a_file_holds_is_looked_at() {
    let cases = [
        ("rest: {url: https://a, tls: {ca: file}}", "upstreams.u.rest.tls.ca", "holds no certificate"),
        (
            "rest: {url: https://a, tls: {certificate: file, private_key: file}}",
            "upstreams.u.rest.tls.private_key",
            "holds no private key",
        ),
        ("gcf: {url: https://a, credentials: {file: file}}", "upstreams.u.gcf.credentials.file", "no file of Google"),
        (
            "nats: {servers: a, credentials: {creds_file: file}}",
            "upstreams.u.nats.credentials.creds_file",
            "JWT and seed",
        ),
        ("local: {directory: file}", "upstreams.u.local.directory", "there is no folder"),
    ];
    for (settings, path, message) in cases {
        for command in ["check", "run"] {
            let folder = configured(&format!("upstreams: {{u: {{{settings}}}}}\nroutes: []\n"));
            std::fs::write(folder.path().join("file"), "nothing of the kind").expect("written");
            let done = on(folder.path(), &[command], &[]);
            assert_eq!(done.code, Some(1), "{settings}: {}", done.err);
            assert!(done.err.contains(path) && done.err.contains(message), "{command} {settings}: {}", done.err);
        }
    }
}

#[test]
fn the_files_of_local_functions_are_looked_for() {
    let cases = [
        ("{runtime: node, handler: orders.create}", "handler", "there is no file orders.mjs"),
        ("{runtime: python3, handler: orders.create}", "handler", "there is no file orders.py"),
        ("{command: ./bootstrap}", "command", "there is no executable file"),
        ("{command: sh, directory: nowhere}", "directory", "there is no folder"),
    ];
    for (function, field, message) in cases {
        let folder =
            configured(&format!("upstreams: {{u: {{local: {{}}, functions: {{f: {function}}}}}}}\nroutes: []\n"));
        let done = on(folder.path(), &["check"], &[]);
        assert_eq!(done.code, Some(1), "{function}: {}", done.err);
        let path = format!("upstreams.u.functions.f.{field}");
        assert!(done.err.contains(&path) && done.err.contains(message), "{function}: {}", done.err);
    }
}

#[test]
fn the_folder_of_the_access_log_is_looked_for() {
    for (to, message) in [("nowhere/access.log", "there is no folder"), (".", "is a folder")] {
        let folder = configured(&format!("access_log: {{to: {to}}}\nroutes: [{{match: /, respond: {{}}}}]\n"));
        let done = on(folder.path(), &["check"], &[]);
        assert_eq!(done.code, Some(1), "{to}: {}", done.err);
        assert!(done.err.contains("access_log.to") && done.err.contains(message), "{to}: {}", done.err);
    }
}
