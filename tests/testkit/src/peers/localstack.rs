use super::{AwsPeer, Credentials, PeerError, Process, Python, on_free_port};

/// Launcher of LocalStack in host mode, with the executor of `localstack/executor` in place of its containers.
///
/// Where `CALLGATE_TEST_AWS` names an address, such as that of the compose file's container, that one is used.
///
/// What it cannot prove: signatures and policies, which it does not check, and response streams, which it has not got.
#[derive(Debug)]
pub struct LocalStack;

impl LocalStack {
    /// Starts an instance, or takes the given one, and returns its account.
    ///
    /// # Errors
    /// [`PeerError::Missing`] when it is not installed, others when it does not start.
    pub async fn start() -> Result<AwsPeer, PeerError> {
        let root = Credentials { access_key_id: "test".to_owned(), secret_access_key: "test".to_owned() };
        if let Some(endpoint) = std::env::var_os("CALLGATE_TEST_AWS").filter(|endpoint| !endpoint.is_empty()) {
            let endpoint = endpoint.to_string_lossy().trim_end_matches('/').to_owned();
            return AwsPeer::adopt(endpoint, &root, &Python::find()?, None).await;
        }
        let python = Python::localstack()?;
        let (port, process) = on_free_port(|port| launch(&python, port)).await?;
        AwsPeer::adopt(format!("http://127.0.0.1:{port}"), &root, &python, Some(process)).await
    }
}

async fn launch(python: &Python, port: u16) -> Result<Process, PeerError> {
    let folder = Process::folder("localstack")?;
    let mut command = python.command();
    command
        .args(["-m", "localstack.runtime.main"])
        .env("GATEWAY_LISTEN", format!("127.0.0.1:{port}"))
        // The default server ignores the address and listens everywhere.
        .env("GATEWAY_SERVER", "hypercorn")
        .env("LAMBDA_RUNTIME_EXECUTOR", "local")
        .env("EAGER_SERVICE_LOADING", "0")
        .env("SERVICES", "lambda,iam,sts,s3,sqs")
        .env("DNS_ADDRESS", "0")
        .env("DISABLE_EVENTS", "1")
        .env("SKIP_SSL_CERT_DOWNLOAD", "1")
        .env("FILESYSTEM_ROOT", folder.path().join("root"))
        .env("HOME", folder.path())
        .env("TMPDIR", folder.path());
    let mut process = Process::spawn("LocalStack", command, folder)?;
    let health = format!("http://127.0.0.1:{port}/_localstack/health");
    process.wait_until(async || super::http::get(&health).await.is_ok_and(|status| status == 200)).await?;
    Ok(process)
}
