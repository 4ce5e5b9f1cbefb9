//! What the processes of a function find in their environment.

use std::{collections::BTreeMap, ffi::OsString, net::SocketAddr, path::Path};

use callgate_core::Secret;

use crate::config::LocalTarget;

/// What a process inherits from the gateway.
const INHERITED: [&str; 4] = ["PATH", "HOME", "LANG", "TMPDIR"];
/// The region of functions that are in none.
const REGION: &str = "us-east-1";
/// The megabytes that a function without a limit is told to have.
const MEMORY: u64 = 1024;

/// A function's ARN, for functions that read their own.
pub(crate) fn arn(name: &str) -> String {
    format!("arn:aws:lambda:{REGION}:000000000000:function:{name}")
}

/// The value of PATH that programs are looked up in.
pub(crate) fn search_path(variables: &[(OsString, OsString)]) -> OsString {
    variables.iter().rev().find(|(name, _)| name == "PATH").map(|(_, path)| path.clone()).unwrap_or_default()
}

/// The variables that are the same for every process of a function; a later one of the same name wins.
pub(crate) fn variables(
    target: &LocalTarget,
    shared: &BTreeMap<String, Secret>,
    directory: &Path,
) -> Vec<(OsString, OsString)> {
    let name = target.display_name();
    let memory = target.memory_limit.map_or(MEMORY, |limit| (limit.bytes() >> 20).max(1));
    let mut variables: Vec<_> = inherited().collect();
    variables.extend(
        [
            ("_HANDLER", target.handler.clone().unwrap_or_default()),
            ("AWS_LAMBDA_FUNCTION_NAME", name.to_owned()),
            ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST".to_owned()),
            ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", memory.to_string()),
            ("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand".to_owned()),
            ("AWS_LAMBDA_LOG_GROUP_NAME", format!("/aws/lambda/{name}")),
            ("AWS_LAMBDA_LOG_STREAM_NAME", "callgate".to_owned()),
            ("AWS_REGION", REGION.to_owned()),
            ("AWS_DEFAULT_REGION", REGION.to_owned()),
        ]
        .map(|(name, value)| (name.into(), value.into())),
    );
    variables.push(("LAMBDA_TASK_ROOT".into(), directory.into()));
    for (name, value) in shared.iter().chain(&target.environment) {
        variables.push((name.into(), value.expose().into()));
    }
    variables
}

/// The variable that tells a process where its Runtime API is.
pub(crate) fn runtime_api(address: SocketAddr) -> (&'static str, String) {
    ("AWS_LAMBDA_RUNTIME_API", address.to_string())
}

fn inherited() -> impl Iterator<Item = (OsString, OsString)> {
    INHERITED.into_iter().filter_map(|name| Some((name.into(), std::env::var_os(name)?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value<'a>(variables: &'a [(OsString, OsString)], name: &str) -> Option<&'a str> {
        variables.iter().rev().find(|(key, _)| key == name).and_then(|(_, value)| value.to_str())
    }

    #[test]
    fn a_function_sees_its_variables_and_little_else() {
        let target: LocalTarget = serde_json::from_str(
            r#"{"name": "greet", "handler": "a.b", "memory_limit": "256MiB", "environment": {"A": "own", "AWS_REGION": "eu-west-1"}}"#,
        )
        .unwrap();
        let shared = [("A", "shared"), ("B", "shared")].map(|(name, value)| (name.to_owned(), Secret::new(value)));
        let variables = variables(&target, &shared.into(), Path::new("/srv"));
        for (name, expected) in [
            ("A", "own"),
            ("B", "shared"),
            ("AWS_REGION", "eu-west-1"),
            ("AWS_LAMBDA_FUNCTION_NAME", "greet"),
            ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256"),
            ("LAMBDA_TASK_ROOT", "/srv"),
            ("_HANDLER", "a.b"),
        ] {
            assert_eq!(value(&variables, name), Some(expected), "{name}");
        }
        assert_eq!(value(&variables, "CARGO_MANIFEST_DIR"), None);
        assert!(!search_path(&variables).is_empty());
    }
}
