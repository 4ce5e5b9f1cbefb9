//! `callgate new upstream`: what it writes is what `tests/skeleton` builds and tests with everything else.

use std::{collections::BTreeSet, path::Path};

use super::{Ran, callgate, ran};

fn new(folder: &Path, arguments: &[&str]) -> Ran {
    ran(callgate(&[&["new", "upstream"], arguments].concat()).current_dir(folder))
}

fn read(file: impl AsRef<Path>) -> String {
    let file = file.as_ref();
    std::fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

/// The names in the tables of a manifest that name dependencies.
fn dependencies(manifest: &str) -> BTreeSet<(String, String)> {
    let mut found = BTreeSet::new();
    let mut table = String::new();
    for line in manifest.lines() {
        if line.starts_with('[') {
            line.clone_into(&mut table);
        } else if let (true, Some((name, _))) = (table.contains("dependencies"), line.split_once(['.', ' '])) {
            found.insert((table.clone(), name.to_owned()));
        }
    }
    found
}

#[test]
fn the_kinds_name_is_everywhere_and_the_skeletons_nowhere() {
    let folder = tempfile::tempdir().expect("a folder");
    let written = new(folder.path(), &["event-grid"]);
    assert_eq!(written.code, Some(0), "{}", written.err);
    assert!(written.out.contains("cd callgate-event-grid"), "{}", written.out);
    let made = folder.path().join("callgate-event-grid");
    for file in
        ["Cargo.toml", "README.md", "callgate.yaml", "src/lib.rs", "src/main.rs", "src/config.rs", "src/error.rs"]
    {
        assert!(!read(made.join(file)).to_lowercase().contains("skeleton"), "{file}");
    }
    assert!(read(made.join("src/lib.rs")).contains("const KIND: &'static str = \"event-grid\""));
    assert!(read(made.join("src/main.rs")).contains("with::<callgate_event_grid::EventGrid>()"));
    assert!(read(made.join("tests/conformance.rs")).contains("conformance::run::<StandIn>()"));
}

#[test]
fn callgate_is_named_by_version_outside_of_its_repository_and_by_path_within() {
    let folder = tempfile::tempdir().expect("a folder");
    assert_eq!(new(folder.path(), &["mine"]).code, Some(0));
    let manifest = read(folder.path().join("callgate-mine/Cargo.toml"));
    let version = env!("CARGO_PKG_VERSION");
    for name in ["callgate", "callgate-core", "callgate-testkit"] {
        assert!(manifest.contains(&format!("\n{name} = \"{version}\"\n")), "{manifest}");
    }
    assert!(!manifest.contains("[workspace]"), "{manifest}");
    assert!(!folder.path().join("callgate-mine/Cargo.lock").exists());

    std::fs::create_dir_all(folder.path().join("repository/core")).expect("a folder");
    std::fs::write(folder.path().join("repository/Cargo.lock"), "version = 4\n").expect("written");
    std::fs::write(folder.path().join("repository/core/Cargo.toml"), "name = \"callgate-core\"\n").expect("written");
    assert_eq!(new(&folder.path().join("repository"), &["mine", "--path", "a/b"]).code, Some(0));
    let manifest = read(folder.path().join("repository/a/b/Cargo.toml"));
    for (name, path) in [("callgate", "../.."), ("callgate-core", "../../core")] {
        // The version is what a package has, which has no paths.
        let line = format!("\n{name} = {{ path = \"{path}\", version = \"{version}\" }}\n");
        assert!(manifest.contains(&line), "{manifest}");
    }
    assert!(manifest.contains("[workspace]"), "{manifest}");
    assert_eq!(read(folder.path().join("repository/a/b/Cargo.lock")), "version = 4\n", "what Callgate is tested with");
}

#[test]
fn beside_the_clone_that_it_is_run_in_a_crate_has_callgate_from_there() {
    let folder = tempfile::tempdir().expect("a folder");
    let clone = folder.path().join("callgate");
    std::fs::create_dir_all(clone.join("core/src")).expect("a folder");
    std::fs::write(clone.join("core/Cargo.toml"), "name = \"callgate-core\"\n").expect("written");
    std::fs::write(clone.join("Cargo.lock"), "version = 4\n").expect("written");
    std::fs::write(clone.join("rust-toolchain.toml"), "[toolchain]\n").expect("written");
    // From a folder of the clone as from its root.
    let written = new(&clone.join("core/src"), &["mine", "--path", "../../../mine"]);
    assert_eq!(written.code, Some(0), "{}", written.err);
    assert!(written.out.contains("from the clone in"), "{}", written.out);
    let made = folder.path().join("mine");
    let manifest = read(made.join("Cargo.toml"));
    let version = env!("CARGO_PKG_VERSION");
    for (name, path) in [("callgate", "../callgate"), ("callgate-testkit", "../callgate/tests/testkit")] {
        let line = format!("\n{name} = {{ path = \"{path}\", version = \"{version}\" }}\n");
        assert!(manifest.contains(&line), "{manifest}");
    }
    assert!(!manifest.contains("[workspace]"), "{manifest}");
    assert_eq!(read(made.join("Cargo.lock")), "version = 4\n", "what Callgate is tested with");
    assert_eq!(read(made.join("rust-toolchain.toml")), "[toolchain]\n");
}

#[test]
fn who_writes_it_outside_of_the_repository_is_told_what_that_means() {
    let folder = tempfile::tempdir().expect("a folder");
    assert!(new(folder.path(), &["mine"]).out.contains("asks crates.io for the crates of Callgate"));
    let inside = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/never-written/Mine");
    assert_eq!(new(folder.path(), &["Mine", "--path", &inside.display().to_string()]).code, Some(2));
    assert!(!inside.exists());
}

#[test]
fn no_kind_can_be_called_as_a_crate_of_callgate() {
    let manifest = read(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml"));
    let own = manifest.lines().filter_map(|line| line.strip_prefix("callgate-")?.split_once(" = { path"));
    let own: BTreeSet<_> = own.map(|(name, _)| name).collect();
    assert!(own.len() > 15, "{own:?}");
    let folder = tempfile::tempdir().expect("a folder");
    for name in own {
        assert_eq!(new(folder.path(), &[name]).code, Some(2), "{name}");
    }
}

#[test]
fn the_manifest_names_what_the_tested_one_names() {
    let folder = tempfile::tempdir().expect("a folder");
    assert_eq!(new(folder.path(), &["mine", "--path", "."]).code, Some(0));
    let tested = read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/skeleton/Cargo.toml"));
    let written = dependencies(&read(folder.path().join("Cargo.toml")));
    assert!(written.len() > 5, "{written:?}");
    assert_eq!(written, dependencies(&tested));
}

#[test]
fn nothing_is_overwritten_and_wrong_names_are_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    assert_eq!(new(folder.path(), &["mine"]).code, Some(0));
    let again = new(folder.path(), &["mine"]);
    assert_eq!(again.code, Some(1));
    assert!(again.err.contains("not overwritten"), "{}", again.err);
    for (name, says) in [
        ("Mine", "no name of a kind"),
        ("a_b", "no name"),
        ("a-", "no name"),
        ("rest", "already"),
        ("core", "crate of Callgate's own"),
        ("timeout", "option of every upstream"),
        ("self", "`Self`"),
        ("tcp-stream", "`TcpStream`"),
    ] {
        let refused = new(folder.path(), &[name]);
        assert_eq!(refused.code, Some(2), "{name}");
        assert!(refused.err.contains(says), "{name}: {}", refused.err);
    }
}
