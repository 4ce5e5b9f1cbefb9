//! `callgate new`: the beginning of an upstream kind in a crate of its own, which compiles and passes the conformance suite.

use std::{
    fs,
    path::{Path, PathBuf},
};

use callgate_core::Registry;
use clap::{Args, Subcommand};

use super::{answer::Failed, files::write_all};

/// What is written, by its place. `tests/skeleton` builds and tests the same files.
const FILES: [(&str, &str); 9] = [
    ("Cargo.toml", include_str!("skeleton/manifest.toml")),
    ("README.md", include_str!("skeleton/README.md")),
    ("callgate.yaml", include_str!("skeleton/callgate.yaml")),
    ("src/main.rs", include_str!("skeleton/src/main.rs")),
    ("src/lib.rs", include_str!("skeleton/src/lib.rs")),
    ("src/config.rs", include_str!("skeleton/src/config.rs")),
    ("src/error.rs", include_str!("skeleton/src/error.rs")),
    ("src/shape.rs", include_str!("skeleton/src/shape.rs")),
    ("tests/conformance.rs", include_str!("skeleton/tests/conformance.rs")),
];

/// Where the crates of Callgate are in its repository, and how the skeleton's manifest names them.
const CRATES: [(&str, &str, &str); 3] = [
    ("callgate", "../..", ""),
    ("callgate-core", "../../core", "/core"),
    ("callgate-testkit", "../testkit", "/tests/testkit"),
];

/// What is begun.
#[derive(Debug, Subcommand)]
pub(super) enum Beginning {
    /// An upstream kind in a crate of its own, with a binary, a configuration and tests.
    Upstream(Arguments),
}

/// Which kind, and where.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The kind's name, as configurations will have it: `redis`.
    name: String,
    /// The folder to write it to; it must not have such files. Default: `callgate-NAME` here.
    #[arg(long, value_name = "FOLDER")]
    path: Option<PathBuf>,
}

pub(super) fn new(asked: &Beginning, registry: &Registry) -> Result<String, Failed> {
    let Beginning::Upstream(Arguments { name, path }) = asked;
    check(name, registry)?;
    let folder = path.clone().unwrap_or_else(|| format!("callgate-{name}").into());
    let root = repository(&folder);
    let files = FILES.map(|(file, text)| {
        let text = if file == "Cargo.toml" { manifest(text, root.as_deref()) } else { text.to_owned() };
        (folder.join(file), named(&text, name))
    });
    write_all(&files)?;
    let folder = folder.display();
    Ok(format!(
        "The kind `{name}` is in {folder}. It works as it is, against a stand-in that its tests have:\n\n  cd {folder}\n  cargo test\n  cargo run -- check callgate.yaml\n\nThen make it yours: src/shape.rs, src/config.rs, src/lib.rs. docs/custom-upstreams.md says how.\n"
    ))
}

/// A name that is a key in YAML, a part of a crate's name and of a type's.
fn check(name: &str, registry: &Registry) -> Result<(), Failed> {
    let fits = name.starts_with(|char: char| char.is_ascii_lowercase())
        && name.chars().all(|char| char.is_ascii_lowercase() || char.is_ascii_digit() || char == '-')
        && !name.ends_with('-')
        && !name.contains("--");
    if !fits {
        return Err(Failed::Usage(format!(
            "`{name}` is no name of a kind: write small letters, digits and `-`, as `redis`"
        )));
    }
    if registry.kinds().any(|(known, _)| known == name) {
        return Err(Failed::Usage(format!("there is a kind `{name}` already; choose another name")));
    }
    Ok(())
}

/// Puts the kind's name in place of the skeleton's.
fn named(text: &str, name: &str) -> String {
    let camel: String = name
        .split('-')
        .map(|word| {
            word.split_at_checked(1).map_or_else(String::new, |(first, rest)| first.to_ascii_uppercase() + rest)
        })
        .collect();
    text.replace("callgate_skeleton", &format!("callgate_{}", name.replace('-', "_")))
        .replace("Skeleton", &camel)
        .replace("skeleton", name)
}

/// How far above the folder Callgate's own repository is, as a path; `None` outside of it.
fn repository(folder: &Path) -> Option<String> {
    let absolute = std::path::absolute(folder).ok()?;
    let is_root = |folder: &Path| {
        let manifest = fs::read_to_string(folder.join("core/Cargo.toml"));
        manifest.is_ok_and(|text| text.contains("name = \"callgate-core\""))
    };
    let above = absolute.ancestors().skip(1).position(is_root)? + 1;
    Some(vec![".."; above].join("/"))
}

/// The manifest with Callgate's crates by path, in its repository, or by version.
fn manifest(text: &str, root: Option<&str>) -> String {
    let mut text = text.to_owned();
    for (name, written, place) in CRATES {
        let found = match root {
            Some(root) => format!("{{ path = \"{root}{place}\" }}"),
            None => format!("\"{}\"", env!("CARGO_PKG_VERSION")),
        };
        text = text.replace(&format!("{name} = {{ path = \"{written}\" }}"), &format!("{name} = {found}"));
    }
    if root.is_some() {
        text.push_str("\n# A workspace of its own, beside that of the repository around it.\n[workspace]\n");
    }
    text
}
