use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::{Value, json};

use super::{PeerError, Process, Python, python::repository, script::Script};

/// A key of an AWS account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credentials {
    /// The key's public name.
    pub access_key_id: String,
    /// The key's secret.
    pub secret_access_key: String,
}

/// An emulated AWS account, with the key of a user who may invoke and list functions and assume roles.
///
/// What it cannot prove: AWS's own limits, throttling rates and cold starts.
#[derive(Debug)]
pub struct AwsPeer {
    /// Where it listens, such as `http://127.0.0.1:4566`.
    pub endpoint: String,
    /// The only region that tests use.
    pub region: String,
    /// The user's key.
    pub access_key_id: String,
    /// The user's secret.
    pub secret_access_key: String,
    script: Script,
    process: Option<Process>,
}

impl AwsPeer {
    /// Takes over an account that answers at the endpoint, and makes the user.
    pub(crate) async fn adopt(
        endpoint: String,
        root: &Credentials,
        python: &Python,
        process: Option<Process>,
    ) -> Result<Self, PeerError> {
        let region = "us-east-1".to_owned();
        let mut seed = python.command();
        seed.arg(repository().join("tests/peers/aws.py"));
        seed.args([&endpoint, &region, &root.access_key_id, &root.secret_access_key]);
        let script = Script::start("aws.py", seed)?;
        let (access_key_id, secret_access_key) = (String::new(), String::new());
        let mut peer = Self { endpoint, region, access_key_id, secret_access_key, script, process };
        let user = peer
            .create_user(
                &unused_name(),
                Some(&json!({
                    "Version": "2012-10-17",
                    "Statement": [{
                        "Effect": "Allow",
                        "Action": [
                            "lambda:InvokeFunction", "lambda:ListFunctions", "lambda:GetFunction",
                            "lambda:GetFunctionConfiguration", "lambda:ListAliases", "lambda:ListTags",
                            "sts:AssumeRole",
                        ],
                        "Resource": "*",
                    }],
                })),
            )
            .await?;
        peer.access_key_id = user.access_key_id;
        peer.secret_access_key = user.secret_access_key;
        Ok(peer)
    }

    /// Creates a function, replacing one of that name, and returns its ARN once it can be invoked.
    ///
    /// The source is one file that defines `handler`: Python, CommonJS, or an executable `bootstrap` for `provided.*`.
    ///
    /// # Errors
    /// When the peer refuses, or the function does not become active.
    pub async fn create_function(&self, name: &str, source: &str, runtime: &str) -> Result<String, PeerError> {
        let arguments = json!({"name": name, "source": source, "runtime": runtime});
        text(&self.script.call("create_function", arguments).await?, "arn")
    }

    /// Deletes a function.
    ///
    /// # Errors
    /// When there is none.
    pub async fn delete_function(&self, name: &str) -> Result<(), PeerError> {
        self.script.call("delete_function", json!({"name": name})).await.map(drop)
    }

    /// Sets after how many seconds the peer gives up on a function.
    ///
    /// # Errors
    /// When there is no such function.
    pub async fn set_timeout(&self, name: &str, seconds: u16) -> Result<(), PeerError> {
        self.script.call("set_timeout", json!({"name": name, "seconds": seconds})).await.map(drop)
    }

    /// Publishes the function as a version, points a new alias at it and returns the version.
    ///
    /// # Errors
    /// When there is no such function, or the alias exists.
    pub async fn create_alias(&self, name: &str, alias: &str) -> Result<String, PeerError> {
        text(&self.script.call("create_alias", json!({"name": name, "alias": alias})).await?, "version")
    }

    /// Reserves so many executions at once for the function; 0 throttles every invocation.
    ///
    /// # Errors
    /// When there is no such function.
    pub async fn set_reserved_concurrency(&self, name: &str, executions: u32) -> Result<(), PeerError> {
        self.script.call("set_reserved_concurrency", json!({"name": name, "executions": executions})).await.map(drop)
    }

    /// Creates a role that the account's users may assume, with the policy, and returns its ARN.
    ///
    /// `trust` is the role's trust policy; without one, anyone of the account may assume it.
    ///
    /// # Errors
    /// When the peer refuses.
    pub async fn create_role(
        &self,
        name: &str,
        policy: Option<&Value>,
        trust: Option<&Value>,
    ) -> Result<String, PeerError> {
        text(&self.script.call("create_role", json!({"name": name, "policy": policy, "trust": trust})).await?, "arn")
    }

    /// Creates a user who may do what the policy says, nothing without one, and returns a key.
    ///
    /// # Errors
    /// When the peer refuses.
    pub async fn create_user(&self, name: &str, policy: Option<&Value>) -> Result<Credentials, PeerError> {
        let key = self.script.call("create_user", json!({"name": name, "policy": policy})).await?;
        Ok(Credentials {
            access_key_id: text(&key, "access_key_id")?,
            secret_access_key: text(&key, "secret_access_key")?,
        })
    }

    /// The emulator's process, to be paused or killed; `None` where the address was given from outside.
    pub fn process(&mut self) -> Option<&mut Process> {
        self.process.as_mut()
    }
}

/// A name for a user of its own: a given account may be shared, and a user has two keys at most.
fn unused_name() -> String {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    format!("callgate-{}-{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed))
}

fn text(answer: &Value, field: &str) -> Result<String, PeerError> {
    answer[field].as_str().map(str::to_owned).ok_or_else(|| PeerError::Answer {
        what: format!("aws.py for {field}"),
        answer: answer.to_string(),
        expected: "an object with that text",
    })
}
