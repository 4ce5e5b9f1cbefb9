//! What the image is built from, and what is in it.

use std::{fs, process::Command};

use serde_json::{Value, json};

use super::{absent_here, installed, root, succeeds};

/// The lines of a file of the root folder.
fn lines(file: &str) -> Vec<String> {
    fs::read_to_string(root().join(file)).expect("there").lines().map(str::to_owned).collect()
}

#[test]
fn what_the_image_is_built_from_is_not_kept_out_of_the_build() {
    let ignored = lines(".dockerignore");
    let let_in: Vec<_> = ignored.iter().filter_map(|line| line.strip_prefix('!')).collect();
    let manifest = lines("Cargo.toml");
    let members = manifest.iter().skip_while(|line| *line != "members = [").skip(1).take_while(|line| *line != "]");
    let folders = members.filter_map(|line| line.trim().trim_matches([',', '"']).split('/').next());
    // The papers that stand beside the binary in an archive.
    let script = lines("release/build");
    let papers = script.iter().find_map(|line| line.trim().strip_prefix("cp \"$binary\" ")).expect("what is copied");
    let papers = papers.split(' ').filter(|word| !word.starts_with('"'));
    let others = ["src", "release", "Cargo.toml", "Cargo.lock", "rust-toolchain.toml"];
    let needed: Vec<_> = folders.chain(papers).chain(others).collect();
    assert!(needed.contains(&"core") && needed.contains(&"LICENSE"), "{needed:?}");
    let missing: Vec<_> = needed.into_iter().filter(|needed| !let_in.contains(needed)).collect();
    assert!(missing.is_empty(), "{missing:?} of the build would not be there, by .dockerignore");
}

#[test]
fn the_image_has_a_user_without_rights_and_two_files() {
    if !installed("buildah") {
        return absent_here("buildah");
    }
    let folder = tempfile::tempdir().expect("a folder");
    let binary = folder.path().join("callgate");
    fs::write(&binary, "no program: what the image says of itself is looked at, and it is not run").expect("written");
    let image = folder.path().join("image.tar");
    let mut make = Command::new(root().join("release/image"));
    let told = succeeds(make.arg("--binary").arg(&binary).arg("--output").arg(&image));
    let listed = |of: &std::path::Path| succeeds(Command::new("tar").arg("--list").arg("--file").arg(of));
    let unpack = |member: &str| {
        succeeds(
            Command::new("tar")
                .arg("--extract")
                .arg("--file")
                .arg(&image)
                .args(["--directory"])
                .arg(folder.path())
                .arg(member),
        );
        folder.path().join(member)
    };
    let read =
        |member: &str| -> Value { serde_json::from_slice(&fs::read(unpack(member)).expect("there")).expect("JSON") };
    let manifest = read("manifest.json");
    let config = read(manifest[0]["Config"].as_str().expect("a name"));
    let said = &config["config"];
    assert_eq!(said["User"], "65532:65532", "{told}");
    assert_eq!(said["Entrypoint"], json!(["/callgate"]));
    assert_eq!(said["Cmd"], json!(["run", "/etc/callgate/callgate.yaml"]));
    assert_eq!(said["Healthcheck"]["Test"], json!(["CMD", "/callgate", "health", "--live"]), "and no shell");
    assert_eq!(said["StopSignal"], "SIGTERM");
    assert_eq!(said["Labels"]["org.opencontainers.image.licenses"], "Apache-2.0");
    let layers = manifest[0]["Layers"].as_array().expect("layers").iter().filter_map(Value::as_str);
    let inside = layers.map(|layer| listed(&unpack(layer))).collect::<String>();
    let mut files: Vec<_> = inside.lines().filter(|name| !name.ends_with('/')).collect();
    files.sort_unstable();
    files.dedup();
    assert_eq!(files, ["callgate", "etc/ssl/certs/ca-certificates.crt"]);
}
