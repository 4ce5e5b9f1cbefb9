use std::{
    path::PathBuf,
    time::{SystemTime, UNIX_EPOCH},
};

use serde_json::{Value, json};
use tempfile::TempDir;

use super::{PeerError, Process, Python, python::repository, script::Script};

/// Launcher of a stand-in for those of Google's services that issue tokens: the token endpoint, the Security Token
/// Service, the IAM credentials API and the metadata server. It checks what it is asked for, and google-auth checks what
/// it has issued.
///
/// What it cannot prove: that Google's own services agree with their documentation, and their quotas.
#[derive(Debug)]
pub struct GoogleTokens {
    /// Where it listens, such as `http://127.0.0.1:4700`; also the metadata server's.
    pub url: String,
    /// The service account of the key.
    pub account: String,
    /// The service account that others may impersonate.
    pub invoker: String,
    /// The service account of the machine, which the metadata server speaks for.
    pub machine: String,
    script: Script,
    folder: TempDir,
}

impl GoogleTokens {
    /// Starts an instance with keys of its own.
    ///
    /// # Errors
    /// [`PeerError::Missing`] when it is not installed, others when it does not start.
    pub async fn start() -> Result<Self, PeerError> {
        let python = Python::find()?;
        // It needs packages beside Python itself; this is the one with a program.
        python.program("functions-framework")?;
        let folder = Process::folder("google-tokens")?;
        let mut command = python.command();
        command.arg(repository().join("tests/peers/google_tokens.py")).arg(folder.path());
        let script = Script::start("google_tokens.py", command)?;
        let started = script.call("start", json!({})).await?;
        let of = |name: &str| started[name].as_str().unwrap_or_default().to_owned();
        let (url, account, invoker, machine) = (of("url"), of("account"), of("invoker"), of("machine"));
        Ok(Self { url, account, invoker, machine, script, folder })
    }

    /// A file of credentials: `service_account`, `impersonated`, `by_user`, `file_sourced`, `url_sourced`, or `user`,
    /// which gives no ID tokens.
    #[must_use]
    pub fn credentials(&self, name: &str) -> PathBuf {
        self.folder.path().join(format!("{name}.json"))
    }

    /// Host and port, as `GCE_METADATA_HOST` has them.
    #[must_use]
    pub fn host(&self) -> &str {
        self.url.trim_start_matches("http://")
    }

    /// What google-auth says of a token: its claims, or `{"refused": reason}`.
    ///
    /// # Errors
    /// When the stand-in is gone.
    pub async fn verify(&self, token: &str, audience: &str) -> Result<Value, PeerError> {
        self.script.call("verify", json!({"token": token, "audience": audience})).await
    }

    /// What was asked for since the last call: `{method, path, ...}` each, in order.
    ///
    /// # Errors
    /// When the stand-in is gone.
    pub async fn requests(&self) -> Result<Vec<Value>, PeerError> {
        Ok(self.script.call("requests", json!({})).await?.as_array().cloned().unwrap_or_default())
    }

    /// Stops the stand-in's clock at a time, to the second; at first it is the machine's.
    ///
    /// # Errors
    /// When the stand-in is gone.
    pub async fn set_time(&self, time: SystemTime) -> Result<(), PeerError> {
        let seconds = time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        self.script.call("set_time", json!({"seconds": seconds})).await.map(drop)
    }

    /// Sets how many seconds the tokens from now on live; 3600 at first.
    ///
    /// # Errors
    /// When the stand-in is gone.
    pub async fn set_life(&self, seconds: u32) -> Result<(), PeerError> {
        self.script.call("set_life", json!({"seconds": seconds})).await.map(drop)
    }

    /// Sets how requests fail from now on: `{path, status, body, headers}`, or `{path, stall: true}` until the next
    /// call of this; `{}` ends it.
    ///
    /// # Errors
    /// When the stand-in is gone.
    pub async fn set_trouble(&self, trouble: Value) -> Result<(), PeerError> {
        self.script.call("set_trouble", trouble).await.map(drop)
    }

    /// Renews the subject token of the file-sourced federation, for so many seconds.
    ///
    /// # Errors
    /// When the stand-in is gone.
    pub async fn write_subject_token(&self, life: i64) -> Result<(), PeerError> {
        self.script.call("write_subject_token", json!({"life": life})).await.map(drop)
    }
}
