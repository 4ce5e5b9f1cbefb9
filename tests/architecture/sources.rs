use crate::{
    assert_none,
    tree::{Source, sources},
};

const LONGEST_FILE: usize = 400;

/// Names that say nothing of what is behind them.
const EMPTY_NAMES: [&str; 8] = ["util", "utils", "common", "helper", "helpers", "manager", "misc", "shared"];

/// Who may read the environment; everything else gets its values from the document.
const ENVIRONMENT_READERS: [(&str, &str); 7] = [
    ("core/src/document/", "references such as ${NAME}"),
    ("transform/src/engine/functions.rs", "the function env of templates"),
    ("upstreams/azure/src/environment.rs", "the identities that Azure's platforms announce"),
    ("upstreams/gcf/src/token/environment.rs", "credentials as Google's own libraries find them"),
    ("upstreams/lambda/src/region.rs", "the region as AWS's own tools find it"),
    ("upstreams/local/src/environment.rs", "the few variables that a local process inherits"),
    ("tests/testkit/src/peers/", "where the peers of the tests are"),
];

fn products() -> impl Iterator<Item = Source> {
    sources().into_iter().filter(Source::is_product)
}

/// Where the code of the files contains one of the texts, as `path:line: text`.
fn occurrences(files: impl Iterator<Item = Source>, texts: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    for file in files {
        for (number, line) in file.code() {
            if let Some(text) = texts.iter().find(|text| line.contains(**text)) {
                found.push(format!("{}:{number}: {text}", file.path.display()));
            }
        }
    }
    found
}

#[test]
fn no_file_is_longer_than_400_lines_before_its_tests() {
    let long: Vec<_> = products()
        .map(|file| (file.product_lines().count(), file.path))
        .filter(|(lines, _)| *lines > LONGEST_FILE)
        .map(|(lines, path)| format!("{}: {lines} lines", path.display()))
        .collect();
    assert_none("a file has one subject; split these", &long);
}

#[test]
fn kinds_start_tasks_through_their_context_only() {
    let upstreams = products().filter(|file| file.path.starts_with("upstreams"));
    let offenders = occurrences(upstreams, &["tokio::spawn(", "task::spawn(", "Handle::current().spawn("]);
    assert_none("use Context::spawn, so that a reload ends the task", &offenders);
}

#[test]
fn modules_are_named_after_what_they_do() {
    let empty = |name: &str| EMPTY_NAMES.contains(&name);
    let offenders: Vec<_> = sources()
        .into_iter()
        .filter(|file| {
            let mut parts = file.path.iter().filter_map(|part| part.to_str());
            let inline = |line: &str| {
                let name =
                    line.trim().trim_start_matches("pub(crate) ").trim_start_matches("pub ").strip_prefix("mod ");
                name.is_some_and(|name| empty(name.trim_end_matches(['{', ';', ' '])))
            };
            parts.any(|part| empty(part.trim_end_matches(".rs"))) || file.code().any(|(_, line)| inline(line))
        })
        .map(|file| file.path.display().to_string())
        .collect();
    assert_none("these modules have a name that says nothing", &offenders);
}

#[test]
fn the_environment_is_read_by_references_and_credential_chains_only() {
    let others = products().filter(|file| !ENVIRONMENT_READERS.iter().any(|(path, _)| file.path.starts_with(path)));
    let offenders = occurrences(others, &["env::var(", "env::var_os(", "env::vars("]);
    assert_none("take the value from the document, where `${NAME}` reads it", &offenders);
}
