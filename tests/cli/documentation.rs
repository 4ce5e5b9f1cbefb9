//! Every YAML example of the documentation is a valid configuration.

use std::path::{Path, PathBuf};

use super::{callgate, configured, on, ran};

fn markdown(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default().to_owned();
        if path.is_dir() && !name.starts_with('.') && !["target", "node_modules", "tests"].contains(&name.as_str()) {
            markdown(&path, found);
        } else if name.ends_with(".md") {
            found.push(path);
        }
    }
}

/// The fenced blocks of a language, each with the line that it begins at.
fn blocks(text: &str, language: &str) -> Vec<(usize, String)> {
    let mut blocks = Vec::new();
    let mut open: Option<(usize, bool, String)> = None;
    for (number, line) in text.lines().enumerate() {
        match (&mut open, line.trim_start().strip_prefix("```")) {
            (None, Some(info)) => open = Some((number + 1, info.trim() == language, String::new())),
            (Some(_), Some(_)) => {
                if let Some((start, true, block)) = open.take() {
                    blocks.push((start, block));
                }
            }
            (Some((_, _, block)), None) => {
                block.push_str(line);
                block.push('\n');
            }
            (None, None) => {}
        }
    }
    blocks
}

/// The blocks of a page that are files beside its configurations: what stands behind their language is the file's name.
fn files_of(text: &str) -> Vec<(String, String)> {
    let infos = text.lines().filter_map(|line| line.strip_prefix("```")?.split_once(' '));
    let named = infos.filter(|(language, _)| ["yaml", "proto"].contains(language));
    let content = |info: &str| blocks(text, info).into_iter().next().map(|(_, block)| block);
    named
        .filter_map(|(language, name)| Some((name.trim().to_owned(), content(&format!("{language} {}", name.trim()))?)))
        .collect()
}

/// The variables that an example refers to without a default: whoever runs it sets them.
fn variables(block: &str) -> Vec<&str> {
    let references = block.split("${").skip(1).filter_map(|rest| rest.split('}').next());
    references.filter(|name| !name.contains([':', '-'])).collect()
}

/// The certificates and keys that examples name, in `certs`.
fn certificates(folder: &Path) {
    let folder = folder.join("certs");
    std::fs::create_dir_all(&folder).expect("a folder");
    let key = rcgen::KeyPair::generate().expect("a key");
    let params = rcgen::CertificateParams::new(["api.example.com".to_owned()]).expect("a name");
    let certificate = params.self_signed(&key).expect("a certificate");
    let files = ["api.pem", "shop.pem", "clients.pem"].map(|name| (name, certificate.pem()));
    for (name, pem) in files.into_iter().chain(["api.key", "shop.key"].map(|name| (name, key.serialize_pem()))) {
        std::fs::write(folder.join(name), pem).expect("written");
    }
}

/// The other files that examples name.
fn files(folder: &Path) {
    let seed = nkeys::KeyPair::new_user().seed().expect("a seed");
    let part = |name: &str, text: &str| format!("-----BEGIN {name}-----\n{text}\n------END {name}------\n\n");
    let account = "https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/a@b:generateAccessToken";
    let federation = serde_json::json!({
        "type": "external_account", "audience": "//iam.googleapis.com/p", "subject_token_type": "urn:x",
        "token_url": "https://sts.googleapis.com/v1/token", "credential_source": {"file": "/run/token"},
        "service_account_impersonation_url": account,
    });
    for (name, content) in [
        ("gateway.creds", part("NATS USER JWT", "e30.e30.e30") + &part("USER NKEY SEED", &seed)),
        ("gateway.json", federation.to_string()),
        ("hello.py", String::new()),
    ] {
        std::fs::write(folder.join(name), content).expect("written");
    }
    let search = folder.join("functions/search");
    std::fs::create_dir_all(&search).expect("a folder");
    std::fs::write(folder.join("functions/orders.py"), "").expect("written");
    // A program of the system stands for one that would be built.
    std::os::unix::fs::symlink("/bin/sh", search.join("bootstrap")).expect("a link");
}

#[test]
fn every_yaml_example_is_valid() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    markdown(root, &mut files);
    let mut checked = 0;
    for file in files {
        let text = std::fs::read_to_string(&file).expect("readable");
        for (line, block) in blocks(&text, "yaml") {
            // A file of the system stands beside the document here.
            let folder = configured(&block.replace("/run/secrets/gateway", "gateway"));
            certificates(folder.path());
            self::files(folder.path());
            for (name, content) in files_of(&text) {
                std::fs::write(folder.path().join(name), content).expect("written");
            }
            let given = variables(&block).into_iter().map(|name| (name, "example"));
            let done = ran(callgate(&["check", "callgate.yaml"]).current_dir(folder.path()).envs(given));
            assert_eq!(done.code, Some(0), "{}:{line}\n{block}\n{}", file.display(), done.err);
            checked += 1;
        }
    }
    assert!(checked > 2, "the examples were found");
}

/// What stands between backticks and can be a path of the repository.
fn paths(text: &str) -> Vec<&str> {
    let is_path = |code: &&str| {
        code.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-./".contains(&byte))
            && (code.contains('/') || code.ends_with(".rs"))
    };
    text.split('`').skip(1).step_by(2).filter(is_path).collect()
}

#[test]
fn the_paths_that_the_architecture_names_are_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(root.join("docs/ARCHITECTURE.md")).expect("readable").replace("```", "");
    let paths = paths(&text);
    assert!(paths.len() > 40, "they were found: {paths:?}");
    let starts = ["", "src", "core/src"];
    let gone: Vec<_> =
        paths.into_iter().filter(|path| !starts.iter().any(|start| root.join(start).join(path).exists())).collect();
    assert_eq!(gone, [""; 0]);
}

#[test]
fn every_example_configuration_is_valid() {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let mut checked = 0;
    for entry in std::fs::read_dir(examples).expect("examples") {
        let folder = entry.expect("an entry").path();
        if folder.join("callgate.yaml").exists() {
            let done = on(&folder, &["check"], &[]);
            assert_eq!(done.code, Some(0), "{}: {}", folder.display(), done.err);
            checked += 1;
        }
    }
    assert!(checked > 0, "the examples were found");
}
