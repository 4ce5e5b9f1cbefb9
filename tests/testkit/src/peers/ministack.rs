use super::{AwsPeer, Credentials, PeerError, Process, Python, on_free_port};

/// Launcher of MiniStack, an emulator of AWS that checks signatures and policies.
///
/// It never uses the address in `CALLGATE_TEST_AWS`, which promises no such checks; see
/// [`LocalStack`](super::LocalStack) for that.
///
/// What it cannot prove: chunked response streams, payload limits, and the refusal of invalid JSON.
#[derive(Debug)]
pub struct MiniStack;

impl MiniStack {
    /// Starts an instance with authentication on and returns its account.
    ///
    /// # Errors
    /// [`PeerError::Missing`] when it is not installed, others when it does not start.
    pub async fn start() -> Result<AwsPeer, PeerError> {
        let python = Python::find()?;
        let (port, process) = on_free_port(|port| launch(&python, port)).await?;
        // The emulator's root account: its signatures are not checked, so it only serves to prepare tests.
        let root = Credentials { access_key_id: "test".to_owned(), secret_access_key: "test".to_owned() };
        AwsPeer::adopt(format!("http://127.0.0.1:{port}"), &root, &python, Some(process)).await
    }
}

async fn launch(python: &Python, port: u16) -> Result<Process, PeerError> {
    let folder = Process::folder("ministack")?;
    let mut command = python.program_command("ministack")?;
    command
        .env("AUTH", "true")
        .env("BIND_HOST", "127.0.0.1")
        .env("GATEWAY_PORT", port.to_string())
        .env("LOG_LEVEL", "WARNING")
        .env("HOME", folder.path())
        .env("TMPDIR", folder.path());
    let mut process = Process::spawn("MiniStack", command, folder)?;
    let health = format!("http://127.0.0.1:{port}/_ministack/health");
    process.wait_until(async || super::http::get(&health).await.is_ok_and(|status| status == 200)).await?;
    Ok(process)
}
