//! What a kind may be called: a key in YAML, a part of a crate's name and of a type's.

use callgate_core::{Registry, plan::schema};

use super::FILES;
use crate::cli::answer::Failed;

/// The crates of Callgate that are no kinds.
const CRATES: [&str; 9] =
    ["aws-event", "core", "document", "http", "message", "openapi", "testkit", "transform", "wsdl"];

/// Says what is wrong with a name.
pub(super) fn check(name: &str, registry: &Registry) -> Result<(), Failed> {
    let fits = name.starts_with(|char: char| char.is_ascii_lowercase())
        && name.chars().all(|char| char.is_ascii_lowercase() || char.is_ascii_digit() || char == '-')
        && !name.ends_with('-')
        && !name.contains("--");
    if !fits {
        return Err(Failed::Usage(format!(
            "`{name}` is no name of a kind: write small letters, digits and `-`, as `redis`"
        )));
    }
    let taken = |what: String| Err(Failed::Usage(format!("{what}; choose another name")));
    if registry.kinds().any(|(known, _)| known == name) {
        return taken(format!("there is a kind `{name}` already"));
    }
    if CRATES.contains(&name) {
        return taken(format!("`callgate-{name}` is a crate of Callgate's own"));
    }
    let schema = schema(registry);
    let mut shapes = schema["$defs"]["Upstream"]["oneOf"].as_array().into_iter().flatten();
    if shapes.any(|shape| shape["properties"].get(name).is_some()) {
        return taken(format!("`{name}` is an option of every upstream, and can't be a kind"));
    }
    let camel = camel(name);
    let written = FILES.iter().filter(|(file, _)| file.ends_with(".rs")).any(|(_, text)| has_word(text, &camel));
    if written {
        return taken(format!("the kind's type would be `{camel}`, which its files have for something else"));
    }
    Ok(())
}

/// The name as that of a type.
pub(super) fn camel(name: &str) -> String {
    let words = name.split('-').filter_map(|word| word.split_at_checked(1));
    words.map(|(first, rest)| first.to_ascii_uppercase() + rest).collect()
}

/// Whether a word stands in a file's code.
fn has_word(text: &str, word: &str) -> bool {
    let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
    code.flat_map(|line| line.split(|char: char| !char.is_alphanumeric() && char != '_')).any(|found| found == word)
}
