//! `callgate new`: the beginning of an upstream kind in a crate of its own, which compiles and passes the conformance suite.

mod name;
mod repository;

use std::{fs, path::PathBuf};

use callgate_core::Registry;
use clap::{Args, Subcommand};

use super::{answer::Failed, files::write_all};
use repository::Repository;

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

/// The versions that Callgate is tested with, in its repository. Cargo leaves out what is not needed.
const VERSIONS: [&str; 2] = ["Cargo.lock", "rust-toolchain.toml"];

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
    name::check(name, registry)?;
    let folder = path.clone().unwrap_or_else(|| format!("callgate-{name}").into());
    let clone = Repository::seen_from(&folder);
    let files = FILES.map(|(file, text)| {
        let text = if file == "Cargo.toml" { manifest(text, clone.as_ref()) } else { text.to_owned() };
        (folder.join(file), named(&text, name))
    });
    let copied = clone.iter().flat_map(|clone| {
        VERSIONS.iter().filter_map(|file| Some((folder.join(file), fs::read_to_string(clone.root.join(file)).ok()?)))
    });
    write_all(&files.into_iter().chain(copied).collect::<Vec<_>>())?;
    let folder = folder.display();
    let begin = format!(
        "The kind `{name}` is in {folder}. It works as it is, against a stand-in that its tests have:\n\n  cd {folder}\n  cargo test\n  cargo run -- check callgate.yaml\n\nThen make it yours: src/shape.rs, src/config.rs, src/lib.rs. docs/custom-upstreams.md says how.\n"
    );
    let whence = match clone {
        Some(Repository { around: true, .. }) => return Ok(begin),
        Some(Repository { root, .. }) => {
            format!("\nIt has the crates of Callgate from the clone in {}.\n", root.display())
        }
        None => format!(
            "\nThere is no clone of Callgate's repository around it or around here: it asks crates.io for the crates of Callgate {}.\nWhere they are not there, run this in a clone, or give its Cargo.toml the `path` of each.\n",
            env!("CARGO_PKG_VERSION")
        ),
    };
    Ok(begin + &whence)
}

/// Puts the kind's name in place of the skeleton's.
fn named(text: &str, name: &str) -> String {
    text.replace("callgate_skeleton", &format!("callgate_{}", name.replace('-', "_")))
        .replace("Skeleton", &name::camel(name))
        .replace("skeleton", name)
}

/// The manifest with Callgate's crates by path, where there is a clone of them, or by version.
fn manifest(text: &str, clone: Option<&Repository>) -> String {
    let version = env!("CARGO_PKG_VERSION");
    let mut text = text.to_owned();
    for (name, written, place) in CRATES {
        let found = match clone {
            Some(Repository { path, .. }) => format!("{{ path = \"{path}{place}\", version = \"{version}\" }}"),
            None => format!("\"{version}\""),
        };
        text = text.replace(&format!("{name} = {{ path = \"{written}\" }}"), &format!("{name} = {found}"));
    }
    if clone.is_some_and(|clone| clone.around) {
        text.push_str("\n# A workspace of its own, beside that of the repository around it.\n[workspace]\n");
    }
    text
}
