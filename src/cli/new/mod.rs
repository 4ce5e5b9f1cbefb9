//! `callgate new`: the beginning of an upstream kind in a crate of its own, which compiles and passes the conformance suite.

mod name;

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
    name::check(name, registry)?;
    let folder = path.clone().unwrap_or_else(|| format!("callgate-{name}").into());
    let root = repository(&folder);
    let files = FILES.map(|(file, text)| {
        let text =
            if file == "Cargo.toml" { manifest(text, root.as_ref().map(|(_, up)| &**up)) } else { text.to_owned() };
        (folder.join(file), named(&text, name))
    });
    // The versions that Callgate is tested with. Cargo leaves out what is not needed.
    let lock = root.as_ref().and_then(|(root, _)| fs::read_to_string(root.join("Cargo.lock")).ok());
    let lock = lock.map(|lock| (folder.join("Cargo.lock"), lock));
    write_all(&files.into_iter().chain(lock).collect::<Vec<_>>())?;
    let folder = folder.display();
    let begin = format!(
        "The kind `{name}` is in {folder}. It works as it is, against a stand-in that its tests have:\n\n  cd {folder}\n  cargo test\n  cargo run -- check callgate.yaml\n\nThen make it yours: src/shape.rs, src/config.rs, src/lib.rs. docs/custom-upstreams.md says how.\n"
    );
    let elsewhere = format!(
        "\nIt is not in a clone of Callgate's repository: it asks crates.io for the crates of Callgate {}. Where they are not there,\nwrite it into a clone with `--path`, or give its Cargo.toml the `path` of each.\n",
        env!("CARGO_PKG_VERSION")
    );
    Ok(if root.is_some() { begin } else { begin + &elsewhere })
}

/// Puts the kind's name in place of the skeleton's.
fn named(text: &str, name: &str) -> String {
    text.replace("callgate_skeleton", &format!("callgate_{}", name.replace('-', "_")))
        .replace("Skeleton", &name::camel(name))
        .replace("skeleton", name)
}

/// Callgate's own repository around the folder, and how far above it is, as a path; `None` outside of it.
fn repository(folder: &Path) -> Option<(PathBuf, String)> {
    let absolute = std::path::absolute(folder).ok()?;
    let is_root = |folder: &Path| {
        let manifest = fs::read_to_string(folder.join("core/Cargo.toml"));
        manifest.is_ok_and(|text| text.contains("name = \"callgate-core\""))
    };
    let (above, root) = absolute.ancestors().enumerate().skip(1).find(|(_, folder)| is_root(folder))?;
    Some((root.to_owned(), vec![".."; above].join("/")))
}

/// The manifest with Callgate's crates by path, in its repository, or by version.
fn manifest(text: &str, root: Option<&str>) -> String {
    let version = env!("CARGO_PKG_VERSION");
    let mut text = text.to_owned();
    for (name, written, place) in CRATES {
        let found = match root {
            Some(root) => format!("{{ path = \"{root}{place}\", version = \"{version}\" }}"),
            None => format!("\"{version}\""),
        };
        text = text.replace(&format!("{name} = {{ path = \"{written}\" }}"), &format!("{name} = {found}"));
    }
    if root.is_some() {
        text.push_str("\n# A workspace of its own, beside that of the repository around it.\n[workspace]\n");
    }
    text
}
