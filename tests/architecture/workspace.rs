use std::{
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;

/// The repository's root folder.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A crate of the workspace.
pub(crate) struct Member {
    pub(crate) name: String,
    /// Its folder, relative to the root.
    pub(crate) folder: PathBuf,
    /// What its code names directly: normal and build dependencies.
    pub(crate) dependencies: Vec<String>,
    /// What only its tests name.
    pub(crate) dev_dependencies: Vec<String>,
    pub(crate) features: Value,
}

/// Crates under `upstreams/` that serve kinds without being one.
const NOT_KINDS: [&str; 5] =
    ["callgate-http", "callgate-aws-event", "callgate-message", "callgate-openapi", "callgate-wsdl"];

impl Member {
    /// The short name of a kind, as documents write it; `None` for other crates.
    pub(crate) fn kind(&self) -> Option<&str> {
        let is_kind = self.folder.starts_with("upstreams") && !NOT_KINDS.contains(&self.name.as_str());
        is_kind.then(|| self.name.trim_start_matches("callgate-"))
    }
}

/// Every crate of the workspace.
pub(crate) fn members() -> Vec<Member> {
    let output = Command::new(option_env!("CARGO").unwrap_or("cargo"))
        .args(["metadata", "--format-version", "1", "--no-deps", "--offline"])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    metadata["packages"].as_array().unwrap().iter().map(member).collect()
}

fn member(package: &Value) -> Member {
    let dependencies = |dev: bool| {
        let all = package["dependencies"].as_array().unwrap().iter();
        let wanted = all.filter(|dependency| (dependency["kind"] == "dev") == dev);
        wanted.map(|dependency| dependency["name"].as_str().unwrap().to_owned()).collect()
    };
    let manifest = Path::new(package["manifest_path"].as_str().unwrap());
    Member {
        name: package["name"].as_str().unwrap().to_owned(),
        folder: manifest.parent().unwrap().strip_prefix(root()).unwrap().to_owned(),
        dependencies: dependencies(false),
        dev_dependencies: dependencies(true),
        features: package["features"].clone(),
    }
}
