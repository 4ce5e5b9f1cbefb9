//! The settings of the kind, and of its functions.

use std::{collections::BTreeMap, path::PathBuf};

use callgate_aws_event::{Payload, Reply, Shape};
use callgate_core::{Invalid, Period, Secret, Settings, Size, Target};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, de};

/// Where the functions of an upstream live, and what all of them find in their environment.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct LocalConfig {
    /// The folder that functions are started in, where they don't name their own. Default: the document's folder.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub directory: Option<String>,
    /// Variables for every function. A function's own win.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub environment: BTreeMap<String, Secret>,
    /// Where relative folders start, once the document's is known.
    #[serde(skip)]
    pub(crate) root: PathBuf,
}

/// A function: what to run, and how its processes live.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct LocalTarget {
    /// The function's name, as logs and the function itself see it. Default: the handler or the command.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// A bootstrap that speaks the Lambda Runtime API: a list, or a text split as a shell splits words.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "command")]
    #[schemars(with = "Option<CommandSchema>")]
    pub command: Option<Vec<String>>,
    /// The built-in bootstrap to run `handler` with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub runtime: Option<Runtime>,
    /// The function in its file: `orders.create` is `create` in `orders.py` (or `.mjs`, `.js`, `.cjs`). With a `command`
    /// it is what the bootstrap finds in `_HANDLER`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub handler: Option<String>,
    /// Variables for the function. Its processes see these, the Lambda variables, PATH, HOME, LANG and TMPDIR, nothing else.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub environment: BTreeMap<String, Secret>,
    /// The folder that the function is started in. Default: the upstream's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub directory: Option<String>,
    /// How long one invocation may run; then the process is killed. Default: as long as the request may take, 60s where
    /// that has no limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Period>,
    /// The resident memory of a process and its children; over it they are killed. Default: no limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory_limit: Option<Size>,
    /// How many processes there are, and how long.
    pub processes: Processes,
    /// Restarts the processes when a file of the directory changes. Default: false.
    pub watch: bool,
    /// The event that the function is sent. Default: `apigateway_v2`.
    pub payload: Payload,
    /// How the function's reply is read. Default: `http`, with the payload `raw` it is `raw`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reply: Option<Reply>,
    /// Sends a reply that the function streams on as it comes: one by `awslambda.streamifyResponse` of the runtime `node`,
    /// or by the Runtime API of a `command`. Default: false, it is collected.
    pub stream: bool,
}

/// The pool of a function. It is empty until the first call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Processes {
    /// How many processes run at most; each serves one invocation at a time. Further calls wait. Default 10.
    pub max: usize,
    /// How long a process may be idle before it is ended. Default 5m.
    pub idle_timeout: Period,
}

impl Default for Processes {
    fn default() -> Self {
        Self { max: 10, idle_timeout: Period::from_secs(300) }
    }
}

/// A language that Callgate brings the bootstrap for. The interpreter is looked up in PATH.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Runtime {
    /// Python 3.
    Python3,
    /// Node.js.
    Node,
}

impl LocalConfig {
    /// The folder that a function is started in, absolute.
    pub(crate) fn folder(&self, target: Option<&LocalTarget>) -> PathBuf {
        let named = target.and_then(|target| target.directory.as_ref()).or(self.directory.as_ref());
        let folder = self.root.join(named.map_or(".", String::as_str));
        std::path::absolute(&folder).unwrap_or(folder)
    }
}

impl LocalTarget {
    /// The name for logs and for the function itself.
    pub(crate) fn display_name(&self) -> &str {
        let command = || self.command.as_ref().and_then(|words| words.first());
        self.name.as_ref().or(self.handler.as_ref()).or_else(command).map_or("function", String::as_str)
    }

    pub(crate) fn shape(&self) -> Shape {
        Shape::new(self.payload, self.reply)
    }
}

impl Settings for LocalConfig {
    fn check(&self) -> Vec<Invalid> {
        check_environment(&self.environment)
    }
}

impl Settings for LocalTarget {
    fn check(&self) -> Vec<Invalid> {
        let mut flaws = check_environment(&self.environment);
        match (&self.command, self.runtime) {
            (Some(_), Some(_)) => flaws.push(
                Invalid::new("`command` and `runtime` exclude each other")
                    .at("runtime")
                    .hint("keep `command` for a bootstrap of your own, `runtime` for the built-in one"),
            ),
            (None, None) => {
                let name = self.name.as_ref().map(|name| format!(" `{name}`")).unwrap_or_default();
                flaws.push(Invalid::new(format!("nothing says how to run the function{name}")).hint(
                    "give it `command`, or `runtime` and `handler`, under the upstream's `functions` or in the route",
                ));
            }
            (Some(words), None) if words.first().is_none_or(String::is_empty) => {
                flaws.push(Invalid::new("the command is empty").at("command").hint("write `[./bootstrap]`"));
            }
            (None, Some(_)) if self.handler.is_none() => {
                flaws.push(Invalid::new("`runtime` needs a `handler`").hint("write `handler: file.function`"))
            }
            (None, Some(_)) | (Some(_), None) => {}
        }
        if let (Some(handler), Some(_)) = (&self.handler, self.runtime)
            && handler.rsplit_once('.').is_none_or(|(file, function)| file.is_empty() || function.is_empty())
        {
            flaws.push(
                Invalid::new(format!("`{handler}` names no function in a file"))
                    .at("handler")
                    .hint("write `file.function`, without the file's extension"),
            );
        }
        if self.stream && self.runtime == Some(Runtime::Python3) {
            flaws.push(
                Invalid::new("functions of the runtime `python3` give their replies whole, here as on AWS")
                    .at("stream")
                    .hint("leave `stream` out; `runtime: node` streams, and a `command` that speaks the Runtime API"),
            );
        }
        if self.processes.max == 0 {
            flaws
                .push(Invalid::new("a function needs a process to run in").at("processes.max").hint("write 1 or more"));
        }
        if self.timeout.is_some_and(|timeout| timeout.is_zero()) {
            flaws
                .push(Invalid::new("no function ends in no time").at("timeout").hint("write a duration such as `10s`"));
        }
        flaws
    }
}

impl Target for LocalTarget {
    const NAME: Option<&'static str> = Some("name");
}

fn check_environment(environment: &BTreeMap<String, Secret>) -> Vec<Invalid> {
    let invalid = |(name, value): (&String, &Secret)| {
        let message = if name.is_empty() || name.contains(['=', '\0']) {
            format!("`{name}` is no name of a variable")
        } else if value.expose().contains('\0') {
            format!("the value of `{name}` contains a NUL")
        } else {
            return None;
        };
        Some(Invalid::new(message).at("environment"))
    };
    environment.iter().filter_map(invalid).collect()
}

/// Reads a command: a list of words, or a text that is split as a shell splits it.
fn command<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Vec<String>>, D::Error> {
    struct CommandVisitor;

    impl<'de> de::Visitor<'de> for CommandVisitor {
        type Value = Option<Vec<String>>;

        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("a command: a list of words, or a text")
        }

        fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
            shlex::split(text).map(Some).ok_or_else(|| E::custom("a quote of the command is not closed"))
        }

        fn visit_seq<A: de::SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
            let mut words = Vec::new();
            while let Some(word) = list.next_element()? {
                words.push(word);
            }
            Ok(Some(words))
        }
    }

    deserializer.deserialize_any(CommandVisitor)
}

/// What the schema says of a command.
#[derive(JsonSchema)]
#[schemars(untagged)]
#[allow(dead_code, reason = "it stands for the schema alone")]
enum CommandSchema {
    /// Split as a shell splits words; nothing else of a shell.
    Text(String),
    /// Program and arguments.
    Words(Vec<String>),
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(json: &str) -> LocalTarget {
        serde_json::from_str(json).unwrap()
    }

    fn flaws(json: &str) -> Vec<String> {
        target(json).check().into_iter().map(|flaw| flaw.message).collect()
    }

    #[test]
    fn a_command_is_a_list_or_a_text() {
        assert_eq!(target(r#"{"command": "./run --name 'a b'"}"#).command.unwrap(), ["./run", "--name", "a b"]);
        assert_eq!(target(r#"{"command": ["./run", "a b"]}"#).command.unwrap(), ["./run", "a b"]);
        let error = serde_json::from_str::<LocalTarget>(r#"{"command": "run 'a"}"#).unwrap_err();
        assert!(error.to_string().contains("a quote of the command is not closed"), "{error}");
    }

    #[test]
    fn exactly_one_way_to_run_is_given() {
        assert_eq!(flaws(r#"{"command": "./run"}"#), [""; 0]);
        assert_eq!(flaws(r#"{"runtime": "python3", "handler": "a.b"}"#), [""; 0]);
        assert_eq!(flaws(r#"{"name": "x"}"#), ["nothing says how to run the function `x`"]);
        assert_eq!(flaws(r#"{"runtime": "node"}"#), ["`runtime` needs a `handler`"]);
        assert_eq!(flaws(r#"{"runtime": "node", "handler": "index"}"#), ["`index` names no function in a file"]);
        assert_eq!(flaws(r#"{"command": ""}"#), ["the command is empty"]);
        let whole = target(r#"{"runtime": "python3", "handler": "a.b", "stream": true}"#).check();
        assert_eq!(whole[0].field, "stream");
        assert_eq!(flaws(r#"{"runtime": "node", "handler": "a.b", "stream": true}"#), [""; 0]);
        assert_eq!(
            flaws(r#"{"command": "x", "runtime": "node", "handler": "a.b"}"#),
            ["`command` and `runtime` exclude each other"]
        );
    }

    #[test]
    fn limits_are_checked() {
        assert_eq!(
            flaws(r#"{"command": "x", "processes": {"max": 0}, "timeout": "0s"}"#),
            ["a function needs a process to run in", "no function ends in no time"]
        );
        assert_eq!(flaws(r#"{"command": "x", "environment": {"a=b": "c"}}"#), ["`a=b` is no name of a variable"]);
    }

    #[test]
    fn values_of_the_environment_are_not_shown() {
        let target = target(r#"{"command": "x", "environment": {"KEY": "hush"}}"#);
        let shown = format!("{target:?} {}", serde_json::to_string(&target).unwrap());
        assert!(!shown.contains("hush"), "{shown}");
    }
}
