use serde_json::{Value, json};

use super::{PeerError, Python, python::repository, script::Script};

/// Launcher of a stand-in for an OpenID provider, whose keys PyJWT makes and whose tokens it signs, good ones and bad.
///
/// What it cannot prove: that a provider's own service agrees with the specification.
#[derive(Debug)]
pub struct Issuer {
    /// Where it is, which is its name too: `http://127.0.0.1:4700`.
    pub url: String,
    script: Script,
}

impl Issuer {
    /// Starts an issuer without keys.
    ///
    /// # Errors
    /// [`PeerError::Missing`] when it is not installed, others when it does not start.
    pub async fn start() -> Result<Self, PeerError> {
        let python = Python::find()?;
        // It needs packages beside Python itself; this is the one with a program.
        python.program("functions-framework")?;
        let mut command = python.command();
        command.arg(repository().join("tests/peers/issuer.py"));
        let script = Script::start("issuer.py", command)?;
        let started = script.call("start", json!({})).await?;
        Ok(Self { url: started["url"].as_str().unwrap_or_default().to_owned(), script })
    }

    /// Makes a key for an algorithm, and publishes it.
    ///
    /// # Errors
    /// When the stand-in is gone.
    pub async fn key(&self, id: &str, algorithm: &str) -> Result<(), PeerError> {
        self.script.call("key", json!({"id": id, "algorithm": algorithm})).await.map(drop)
    }

    /// Publishes a key no longer.
    ///
    /// # Errors
    /// When the stand-in is gone.
    pub async fn withdraw(&self, id: &str) -> Result<(), PeerError> {
        self.script.call("withdraw", json!({"id": id})).await.map(drop)
    }

    /// Answers everything with 500, or no longer.
    ///
    /// # Errors
    /// When the stand-in is gone.
    pub async fn fail(&self, down: bool) -> Result<(), PeerError> {
        self.script.call("fail", json!({"down": down})).await.map(drop)
    }

    /// How often it was asked.
    ///
    /// # Errors
    /// When the stand-in is gone.
    pub async fn requests(&self) -> Result<u64, PeerError> {
        Ok(self.script.call("requests", json!({})).await?.as_u64().unwrap_or_default())
    }

    /// Makes a token: `sign` (`{id, claims, lifetime, named}`), `unsigned` (`{claims}`) or `confused` (`{id, claims}`).
    ///
    /// # Errors
    /// When the stand-in is gone, or has no such key.
    pub async fn token(&self, command: &str, arguments: Value) -> Result<String, PeerError> {
        Ok(self.script.call(command, arguments).await?.as_str().unwrap_or_default().to_owned())
    }
}
