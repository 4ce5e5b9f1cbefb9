use std::net::{Ipv4Addr, SocketAddr};

use serde_json::{Value, json};

use super::{PeerError, Process, Python, on_free_port, python::repository, script::Script};

/// A SOAP service by spyne, in SOAP 1.1 and 1.2, which validates what it gets against its own schema.
#[derive(Debug)]
pub struct SoapService {
    port: u16,
    process: Process,
}

impl SoapService {
    /// The user whom `/basic11` takes.
    pub const USER: &'static str = "clerk";
    /// The user's password.
    pub const PASSWORD: &'static str = "hunter2-soap";

    /// Starts it on a free port of 127.0.0.1.
    ///
    /// # Errors
    /// [`PeerError::Missing`] when spyne is not installed, others when the service does not start.
    pub async fn start() -> Result<Self, PeerError> {
        let (port, process) = on_free_port(launch).await?;
        Ok(Self { port, process })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, self.port))
    }

    /// The URL of the service in SOAP 1.1; its WSDL is at `?wsdl`.
    #[must_use]
    pub fn url11(&self) -> String {
        format!("http://{}/soap11", self.address())
    }

    /// The URL of the service in SOAP 1.2.
    #[must_use]
    pub fn url12(&self) -> String {
        format!("http://{}/soap12", self.address())
    }

    /// The last envelope that it was sent.
    ///
    /// # Errors
    /// When none was.
    pub fn last(&self) -> Result<String, PeerError> {
        let file = self.process.path().join("last.xml");
        std::fs::read_to_string(file).map_err(PeerError::io("read the last envelope"))
    }

    /// Everything that it has printed so far.
    #[must_use]
    pub fn log(&self) -> String {
        self.process.log()
    }

    /// Kills it at once.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// Starts it again at the same address.
    ///
    /// # Errors
    /// When it does not start.
    pub async fn restart(&mut self) -> Result<(), PeerError> {
        self.process = launch(self.port).await?;
        Ok(())
    }
}

async fn launch(port: u16) -> Result<Process, PeerError> {
    let python = Python::find()?;
    python.package("spyne")?;
    let mut command = python.command();
    command.arg(repository().join("tests/peers/soap_server.py")).arg(port.to_string());
    command.env("SOAP_USER", SoapService::USER).env("SOAP_PASSWORD", SoapService::PASSWORD);
    let mut process = Process::spawn("soap-service", command, Process::folder("soap-service")?)?;
    process.wait_for_port(port).await?;
    Ok(process)
}

/// The reference client zeep, which says what it would send.
#[derive(Debug)]
pub struct Zeep(Script);

impl Zeep {
    /// Starts it.
    ///
    /// # Errors
    /// [`PeerError::Missing`] when zeep is not installed.
    pub fn start() -> Result<Self, PeerError> {
        let python = Python::find()?;
        python.package("zeep")?;
        let mut command = python.command();
        command.arg(repository().join("tests/peers/soap_client.py"));
        Script::start("soap_client.py", command).map(Self)
    }

    /// What it sends for some arguments as the body of its envelope, and the body of another envelope, as `{zeep, ours}`:
    /// elements as `[name, attributes, content]`, without prefixes.
    ///
    /// # Errors
    /// What zeep says.
    pub async fn compare(
        &self,
        wsdl: &str,
        operation: &str,
        arguments: &Value,
        envelope: &str,
    ) -> Result<Value, PeerError> {
        let arguments = json!({"wsdl": wsdl, "operation": operation, "arguments": arguments, "envelope": envelope});
        self.0.call("compare", arguments).await
    }
}
