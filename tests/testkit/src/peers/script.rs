use std::{
    io::{BufRead, BufReader, Write},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use serde_json::{Value, json};
use tempfile::TempDir;

use super::{PeerError, Process};

/// How long one call may take.
const LIMIT: Duration = Duration::from_secs(120);

/// A running script that answers each line of JSON with another; it ends when dropped.
///
/// It keeps running between calls because an SDK takes longer to load than to answer. Its pipes belong to no runtime,
/// so tests with a runtime each may share it.
#[derive(Debug)]
pub(crate) struct Script {
    name: &'static str,
    session: Arc<Mutex<Session>>,
}

#[derive(Debug)]
struct Session {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    /// What the script takes for the system's temporary folder: it is killed before it could tidy up.
    _folder: TempDir,
}

impl Script {
    /// Starts the script.
    pub(crate) fn start(name: &'static str, mut command: Command) -> Result<Self, PeerError> {
        let folder = Process::folder("script")?;
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).env("TMPDIR", folder.path());
        let mut child = command.spawn().map_err(PeerError::io(format!("start {name}")))?;
        let pipes = child.stdin.take().zip(child.stdout.take());
        let (input, output) = pipes.ok_or_else(|| PeerError::Io {
            action: format!("reach the pipes of {name}"),
            source: std::io::ErrorKind::BrokenPipe.into(),
        })?;
        let session = Session { child, input, output: BufReader::new(output), _folder: folder };
        Ok(Self { name, session: Arc::new(Mutex::new(session)) })
    }

    /// Calls a command and answers its result.
    pub(crate) async fn call(&self, command: &str, arguments: Value) -> Result<Value, PeerError> {
        let failed =
            |message: String| PeerError::Script { script: self.name.to_owned(), command: command.to_owned(), message };
        let line = format!("{}\n", json!({"command": command, "arguments": arguments}));
        let session = Arc::clone(&self.session);
        let exchange =
            tokio::task::spawn_blocking(move || session.lock().unwrap_or_else(PoisonError::into_inner).exchange(&line));
        let answer = tokio::time::timeout(LIMIT, exchange)
            .await
            .map_err(|_| failed(format!("no answer within {LIMIT:?}")))?
            .map_err(|error| failed(error.to_string()))?
            .map_err(PeerError::io(format!("speak to {}, whose own message is above", self.name)))?;
        let mut parsed: Value = serde_json::from_str(&answer).map_err(|_| PeerError::Answer {
            what: self.name.to_owned(),
            answer: answer.chars().take(200).collect(),
            expected: "JSON",
        })?;
        match parsed["error"].as_str() {
            Some(message) => Err(failed(message.to_owned())),
            None => Ok(parsed["result"].take()),
        }
    }
}

impl Session {
    fn exchange(&mut self, line: &str) -> std::io::Result<String> {
        self.input.write_all(line.as_bytes())?;
        let mut answer = String::new();
        match self.output.read_line(&mut answer)? {
            0 => Err(std::io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(answer),
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Script {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        Script::start("probe", command).unwrap()
    }

    #[tokio::test]
    async fn each_call_has_its_answer() {
        let script = shell(r#"i=0; while read -r _; do i=$((i + 1)); echo "{\"result\": $i}"; done"#);
        assert_eq!(script.call("count", json!({})).await.unwrap(), 1);
        assert_eq!(script.call("count", json!({})).await.unwrap(), 2);
    }

    #[tokio::test]
    async fn what_a_script_leaves_behind_goes_with_it() {
        let script = shell(r#"read -r _; mktemp -d >/dev/null; echo "{\"result\": \"$TMPDIR\"}"; read -r _"#);
        let folder = script.call("folder", json!({})).await.unwrap();
        let folder = std::path::Path::new(folder.as_str().unwrap());
        assert_eq!(folder.read_dir().unwrap().count(), 1);
        drop(script);
        assert!(!folder.exists());
    }

    #[tokio::test]
    async fn an_error_says_what_the_script_said() {
        let error = shell(r#"read -r _; echo '{"error": "no such role"}'"#).call("role", json!({})).await.unwrap_err();
        assert_eq!(error.to_string(), "probe role failed: no such role");
    }

    #[tokio::test]
    async fn a_script_that_ended_is_an_error() {
        let error = shell("read -r _").call("role", json!({})).await.unwrap_err();
        assert!(matches!(error, PeerError::Io { .. }), "{error}");
    }
}
