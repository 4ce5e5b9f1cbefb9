//! Whether the files that a function names are there, asked at load.

use std::{fs, path::Path};

use callgate_core::Invalid;

use crate::{
    config::{LocalTarget, Runtime},
    program::Program,
};

/// Where relative folders are looked for.
pub(crate) const START: &str = "relative paths start at the document's folder";

/// What is missing of a function that is started in this folder. `elsewhere` when its modules may be found in others too.
pub(crate) fn check(target: &LocalTarget, directory: &Path, elsewhere: bool) -> Option<Invalid> {
    if !directory.is_dir() {
        let message = format!("there is no folder {}", directory.display());
        return Some(Invalid::new(message).at("directory").hint(START));
    }
    program(target, directory).or_else(|| handler(target, directory, elsewhere))
}

fn program(target: &LocalTarget, directory: &Path) -> Option<Invalid> {
    let missing = Program::of(target).find_file(directory)?.err()?;
    let hint = "build it, or make it executable (`chmod +x`); a name with a slash is a file in `directory`";
    Some(Invalid::new(missing.to_string()).at("command").hint(hint))
}

fn handler(target: &LocalTarget, directory: &Path, elsewhere: bool) -> Option<Invalid> {
    let runtime = target.runtime?;
    let handler = target.handler.as_deref()?;
    let (file, function) = handler.rsplit_once('.')?;
    let (found, expected) = match runtime {
        Runtime::Node => {
            let base = directory.join(file);
            let found = ["mjs", "js", "cjs"].iter().any(|extension| with_extension(&base, extension).is_file());
            (found, format!("{file}.mjs, .js or .cjs"))
        }
        Runtime::Python3 => {
            let file = file.replace('.', "/");
            (elsewhere || is_module(&directory.join(&file)), format!("{file}.py"))
        }
    };
    if found {
        return None;
    }
    let message = format!("there is no file {expected} in {} for `{handler}`", directory.display());
    let hint = format!("`handler` is `file.function`: `{function}` in the file `{file}` of `directory`");
    Some(Invalid::new(message).at("handler").hint(hint))
}

fn with_extension(base: &Path, extension: &str) -> std::path::PathBuf {
    let mut path = base.as_os_str().to_owned();
    path.push(".");
    path.push(extension);
    path.into()
}

/// Python's modules are files of many extensions (`x.py`, `x.cpython-311-x86_64-linux-gnu.so`), and folders.
fn is_module(base: &Path) -> bool {
    let (Some(folder), Some(name)) = (base.parent(), base.file_name().and_then(|name| name.to_str())) else {
        return false;
    };
    let Ok(entries) = fs::read_dir(folder) else {
        return false;
    };
    entries.filter_map(Result::ok).any(|entry| {
        let found = entry.file_name();
        let rest = found.to_str().and_then(|found| found.strip_prefix(name));
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(options: &str, directory: &Path) -> Option<(String, String)> {
        let target: LocalTarget = serde_json::from_str(options).unwrap();
        check(&target, directory, false).map(|invalid| (invalid.field, invalid.message))
    }

    #[test]
    fn what_is_there_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let at = folder.path();
        fs::create_dir_all(at.join("package/inner")).unwrap();
        for file in ["one.py", "package/two.py", "three.cjs", "four.cpython-311.so"] {
            fs::write(at.join(file), "").unwrap();
        }
        for (runtime, handler) in [
            ("python3", "one.run"),
            ("python3", "package.two.run"),
            ("python3", "package/two.run"),
            ("python3", "package.inner.run"),
            ("python3", "four.run"),
            ("node", "three.run"),
        ] {
            let options = format!(r#"{{"runtime": "{runtime}", "handler": "{handler}"}}"#);
            assert_eq!(told(&options, at), None, "{handler}");
        }
        assert_eq!(told(r#"{"command": "/bin/sh -c x"}"#, at), None);
        assert_eq!(told(r#"{"command": "looked-up-in-path"}"#, at), None);
    }

    #[test]
    fn what_is_missing_is_said_at_its_field() {
        let folder = tempfile::tempdir().unwrap();
        let at = folder.path();
        fs::write(at.join("three.cjs"), "").unwrap();
        for (options, place) in [
            (r#"{"runtime": "python3", "handler": "one.run"}"#, Some("handler")),
            (r#"{"runtime": "python3", "handler": "no.such.run"}"#, Some("handler")),
            (r#"{"runtime": "node", "handler": "thre.run"}"#, Some("handler")),
            (r#"{"command": "./bootstrap"}"#, Some("command")),
            (r#"{"command": "./three.cjs"}"#, Some("command")),
        ] {
            assert_eq!(told(options, at).map(|told| told.0).as_deref(), place, "{options}");
        }
        let (field, message) = told(r#"{"command": "x"}"#, &at.join("none")).unwrap();
        assert!(field == "directory" && message.contains("none"), "{field}: {message}");
    }
}
