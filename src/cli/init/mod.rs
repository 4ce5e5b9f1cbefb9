//! `callgate init`: a first configuration, which is valid and runs as it is written.

mod kinds;

use std::path::{Path, PathBuf};

use callgate_core::{Registry, document::nearest};
use clap::Args;

use super::{answer::Failed, files::write_all};
use kinds::{KINDS, Start};

/// What stands around the upstream.
const DOCUMENT: &str = include_str!("callgate.yaml");

/// What is written where.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The file to write. It must not be there.
    #[arg(default_value = "callgate.yaml")]
    file: PathBuf,
    /// The kind of the upstream in it: `echo`, `lambda`, `rest`, ...
    #[arg(long, default_value = "echo")]
    kind: String,
}

pub(super) fn init(arguments: &Arguments, registry: &Registry) -> Result<String, Failed> {
    let start = start(&arguments.kind, registry)?;
    let folder = arguments.file.parent().unwrap_or(Path::new(""));
    let files: Vec<_> = start.files.iter().map(|(name, text)| (folder.join(name), (*text).to_owned())).collect();
    let shown = arguments.file.display().to_string();
    let document = DOCUMENT
        .replace("UPSTREAM\n", &indented(start.upstream))
        .replace("MATCH", start.matches)
        .replace("TO\n", &format!("{}\n", start.to))
        .replace("FILE", &shown);
    // The functions go first: a configuration that is there without them would be wrong.
    let files = files.into_iter().chain([(arguments.file.clone(), document)]);
    write_all(&files.collect::<Vec<_>>())?;
    Ok(format!("{shown} is written. Now:\n\n  callgate check {shown}\n  callgate run {shown}\n  {}\n", start.attempt))
}

/// What to write for a kind.
fn start(kind: &str, registry: &Registry) -> Result<&'static Start, Failed> {
    let known = || KINDS.iter().filter(|start| registry.kinds().any(|(name, _)| name == start.kind));
    known().find(|start| start.kind == kind).ok_or_else(|| {
        let names: Vec<_> = known().map(|start| start.kind).collect();
        let near =
            nearest(kind, names.iter().copied()).map(|near| format!("did you mean `{near}`? ")).unwrap_or_default();
        Failed::Usage(format!(
            "there is nothing to begin with for the kind `{kind}`; {near}there is for {}",
            names.join(", ")
        ))
    })
}

fn indented(lines: &str) -> String {
    lines.lines().map(|line| format!("  {line}\n")).collect()
}
