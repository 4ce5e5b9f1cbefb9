//! The conformance kit, with functions in Python.

use std::{path::Path, process::ExitCode};

use callgate_core::Registry;
use callgate_local::Local;
use callgate_testkit::conformance::{Abilities, Fixture, Remote, run};

struct Functions;

impl Fixture for Functions {
    fn registry() -> Registry {
        Registry::new().with::<Local>()
    }

    fn abilities() -> Abilities {
        Abilities { remote: false, ..Abilities::default() }
    }

    async fn start() -> Result<Option<Self>, String> {
        Ok(Some(Self))
    }

    fn upstream(&self) -> String {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/functions");
        let functions = Remote::ALL.map(|remote| {
            let name = remote.name();
            format!("{name}: {{runtime: python3, handler: remote.{name}, environment: {{TOKEN: hush-too}}}}")
        });
        format!(
            "{{local: {{directory: {directory:?}, environment: {{KEY: hush-hush}}}}, functions: {{{}}}}}",
            functions.join(", ")
        )
    }

    fn to(&self, remote: Remote) -> String {
        format!("remote/{}", remote.name())
    }

    fn secrets(&self) -> Vec<String> {
        ["hush-hush", "hush-too"].map(str::to_owned).to_vec()
    }

    fn typo() -> Option<(&'static str, &'static str)> {
        Some(("runtme", "runtime"))
    }
}

fn main() -> ExitCode {
    run::<Functions>()
}
