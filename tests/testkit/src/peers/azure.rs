use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::{PeerError, Python, python::repository, script::Script};

/// Launcher of a stand-in for the Azure Functions host, in front of functions of the real azure-functions SDK.
///
/// It takes [`HOST_KEY`](Self::HOST_KEY) and [`MASTER_KEY`](Self::MASTER_KEY), and for the function `hello`
/// [`HELLO_KEY`](Self::HELLO_KEY).
///
/// What it cannot prove: anything about Microsoft's host itself, its front ends, cold starts, and App Service's sign-in,
/// of which only the check of a bearer token is here.
#[derive(Debug)]
pub struct AzureHost {
    /// Where it listens, such as `http://127.0.0.1:7071`.
    pub url: String,
    app: PathBuf,
    script: Option<Script>,
}

/// Where something listens with TLS, and the file of the authority to trust.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsAddress {
    /// `https://127.0.0.1:...`, whatever names the certificate has.
    pub url: String,
    /// The authority's certificate, a PEM file.
    pub ca: PathBuf,
}

impl AzureHost {
    /// A host key.
    pub const HOST_KEY: &str = "host-key-1==";
    /// The master key.
    pub const MASTER_KEY: &str = "master-key-1==";
    /// The own key of the function `hello`.
    pub const HELLO_KEY: &str = "fn-key-hello==";

    /// Starts it with the functions that the tests share: `hello`, `items`, `open`, `adm` and `slow`.
    ///
    /// # Errors
    /// [`PeerError::Missing`] when it is not installed, others when it does not start.
    pub async fn start() -> Result<Self, PeerError> {
        Self::with_app(&repository().join("tests/peers/azure_function_app.py")).await
    }

    /// Starts it with the functions of this file.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub async fn with_app(app: &Path) -> Result<Self, PeerError> {
        let (script, url) = launch(app, None).await?;
        Ok(Self { url, app: app.to_owned(), script: Some(script) })
    }

    /// Kills it at once.
    pub fn kill(&mut self) {
        self.script = None;
    }

    /// Starts it again at the same address.
    ///
    /// # Errors
    /// When the address was taken meanwhile.
    pub async fn restart(&mut self) -> Result<(), PeerError> {
        let port = self.url.rsplit(':').next();
        self.script = Some(launch(&self.app, port).await?.0);
        Ok(())
    }

    /// Switches how it behaves: `prefix`, `running`, `outstanding`, `retry_after`, `sign_in`.
    ///
    /// # Errors
    /// When there is no such setting, or it was killed.
    pub async fn behave(&self, settings: Value) -> Result<(), PeerError> {
        self.call("behave", settings).await.map(drop)
    }

    /// Serves with TLS too, by a certificate for these names.
    ///
    /// # Errors
    /// When it was killed.
    pub async fn serve_tls(&self, names: &[&str]) -> Result<TlsAddress, PeerError> {
        let address = self.call("serve_tls", json!({"names": names})).await?;
        Ok(TlsAddress { url: text(&address, "url")?, ca: text(&address, "ca")?.into() })
    }

    async fn call(&self, command: &str, arguments: Value) -> Result<Value, PeerError> {
        match &self.script {
            Some(script) => script.call(command, arguments).await,
            None => Err(PeerError::Script {
                script: "azure_host.py".to_owned(),
                command: command.to_owned(),
                message: "it was killed".to_owned(),
            }),
        }
    }
}

async fn launch(app: &Path, port: Option<&str>) -> Result<(Script, String), PeerError> {
    let python = Python::find()?;
    python.package("azure/functions")?;
    let mut command = python.command();
    command.arg(repository().join("tests/peers/azure_host.py")).arg(app).args(port);
    let script = Script::start("azure_host.py", command)?;
    let url = text(&script.call("address", json!({})).await?, "url")?;
    Ok((script, url))
}

/// Launcher of a stand-in for Microsoft Entra and the identity services of Azure's platforms, which check what they are
/// asked.
///
/// What it cannot prove: anything about Microsoft's services beyond their published contract. azure-identity,
/// Microsoft's own client, gets its tokens from it.
#[derive(Debug)]
pub struct AzureEntra {
    /// Entra with TLS.
    pub https: TlsAddress,
    /// Entra, and the instance metadata service, without TLS.
    pub http: String,
    /// The identity service of App Service, as `IDENTITY_ENDPOINT` names it.
    pub app_service: String,
    script: Script,
}

impl AzureEntra {
    /// The tenant.
    pub const TENANT: &str = "11111111-2222-3333-4444-555555555555";
    /// The application, and the machine's own identity.
    pub const CLIENT: &str = "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee";
    /// The identity that a user assigned to the machine.
    pub const ASSIGNED: &str = "99999999-8888-7777-6666-555555555555";
    /// The application's secret.
    pub const SECRET: &str = "sekrit~&+=é";
    /// What `IDENTITY_HEADER` has to be.
    pub const IDENTITY_HEADER: &str = "identity-header-1";
    /// The only audience that it issues tokens for.
    pub const AUDIENCE: &str = "api://callgate-functions";

    /// Starts it.
    ///
    /// # Errors
    /// [`PeerError::Missing`] when it is not installed, others when it does not start.
    pub async fn start() -> Result<Self, PeerError> {
        let python = Python::find()?;
        python.package("jwt")?;
        let mut command = python.command();
        command.arg(repository().join("tests/peers/azure_entra.py"));
        let script = Script::start("azure_entra.py", command)?;
        let address = script.call("address", json!({})).await?;
        let https = TlsAddress { url: text(&address, "https")?, ca: text(&address, "ca")?.into() };
        let (http, app_service) = (text(&address, "http")?, text(&address, "app_service")?);
        Ok(Self { https, http, app_service, script })
    }

    /// Switches how it answers: `mode` is `grant`, `deny`, `throttle`, `fail`, `break`, `cut` or `hang`; `life` is the
    /// seconds that its tokens live.
    ///
    /// # Errors
    /// When there is no such setting.
    pub async fn behave(&self, settings: Value) -> Result<(), PeerError> {
        self.script.call("behave", settings).await.map(drop)
    }

    /// Every request for a token so far: `method`, `path`, `query`, `form`, `headers`.
    ///
    /// # Errors
    /// When it has ended.
    pub async fn asked(&self) -> Result<Vec<Value>, PeerError> {
        let mut answer = self.script.call("asked", json!({})).await?;
        Ok(answer["requests"].as_array_mut().map(std::mem::take).unwrap_or_default())
    }

    /// What a host needs to check its tokens: the setting `sign_in` of [`AzureHost::behave`].
    ///
    /// # Errors
    /// When it has ended.
    pub async fn sign_in(&self) -> Result<Value, PeerError> {
        self.script.call("keys", json!({})).await
    }

    /// A token of the service account that the application trusts; `audience`, `life` and `forged` make it a wrong one.
    ///
    /// # Errors
    /// When it has ended.
    pub async fn assertion(&self, options: Value) -> Result<String, PeerError> {
        text(&self.script.call("assertion", options).await?, "token")
    }

    /// The token that azure-identity, Microsoft's own client, gets here: `way` is `secret`, `federated` or `managed`.
    ///
    /// # Errors
    /// When it gets none.
    pub async fn token_by_azure_identity(&self, way: &str, variables: &[(&str, &str)]) -> Result<String, PeerError> {
        let python = Python::find()?;
        python.package("azure/identity")?;
        let mut command = python.command();
        command.arg(repository().join("tests/peers/azure_identity_client.py")).args([way, Self::AUDIENCE]);
        command.env("AUTHORITY", &self.https.url).env("REQUESTS_CA_BUNDLE", &self.https.ca);
        command.envs(variables.iter().copied());
        let run = tokio::task::spawn_blocking(move || command.output());
        let failed = PeerError::io("run azure_identity_client.py");
        let output = match run.await {
            Ok(output) => output.map_err(failed)?,
            Err(error) => return Err(failed(std::io::Error::other(error))),
        };
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned());
        }
        let message = String::from_utf8_lossy(&output.stderr).into_owned();
        Err(PeerError::Script { script: "azure_identity_client.py".to_owned(), command: way.to_owned(), message })
    }
}

fn text(answer: &Value, field: &str) -> Result<String, PeerError> {
    answer[field].as_str().map(str::to_owned).ok_or_else(|| PeerError::Answer {
        what: format!("the peer for {field}"),
        answer: answer.to_string(),
        expected: "an object with that text",
    })
}
