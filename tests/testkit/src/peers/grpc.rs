use std::{
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
};

use serde_json::{Value, json};

use super::{PeerError, Process, Python, on_free_port, python::repository, script::Script};

/// A gRPC service by grpcio, whose messages protoc compiled.
#[derive(Debug)]
pub struct GrpcService {
    port: u16,
    options: GrpcOptions,
    process: Process,
}

/// How the service is started.
#[derive(Debug, Clone, Default)]
pub struct GrpcOptions {
    /// The versions of reflection that it has.
    pub reflection: GrpcReflection,
    /// Its certificate and key, where it speaks TLS.
    pub tls: Option<(PathBuf, PathBuf)>,
}

/// The versions of server reflection.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum GrpcReflection {
    /// `v1` and `v1alpha`.
    #[default]
    Both,
    /// `v1alpha` alone, as older services have it.
    Alpha,
    /// It does not describe itself.
    None,
}

impl GrpcService {
    /// Starts it on a free port of 127.0.0.1.
    ///
    /// # Errors
    /// [`PeerError::Missing`] when grpcio is not installed, others when the service does not start.
    pub async fn start() -> Result<Self, PeerError> {
        Self::with(GrpcOptions::default()).await
    }

    /// Starts it with options.
    ///
    /// # Errors
    /// As [`start`](Self::start)'s.
    pub async fn with(options: GrpcOptions) -> Result<Self, PeerError> {
        let (port, process) = on_free_port(|port| launch(port, &options)).await?;
        Ok(Self { port, options, process })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, self.port))
    }

    /// Its URL.
    #[must_use]
    pub fn url(&self) -> String {
        let scheme = if self.options.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://{}", self.address())
    }

    /// Its descriptors, as protoc wrote them.
    #[must_use]
    pub fn descriptors(&self) -> PathBuf {
        self.process.path().join("service.pb")
    }

    /// The source that they are of; `google/api/annotations.proto` is not beside it.
    #[must_use]
    pub fn source() -> PathBuf {
        repository().join("tests/peers/grpc_service.proto")
    }

    /// The folder with the compiled messages.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.process.path()
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
        self.process = launch(self.port, &self.options).await?;
        Ok(())
    }
}

async fn launch(port: u16, options: &GrpcOptions) -> Result<Process, PeerError> {
    let python = Python::find()?;
    python.package("grpc")?;
    python.package("grpc_tools")?;
    let mut command = python.command();
    command.arg(repository().join("tests/peers/grpc_server.py")).arg(port.to_string());
    command.env(
        "REFLECTION",
        match options.reflection {
            GrpcReflection::Both => "both",
            GrpcReflection::Alpha => "v1alpha",
            GrpcReflection::None => "none",
        },
    );
    if let Some((certificate, key)) = &options.tls {
        command.env("CERTIFICATE", certificate).env("PRIVATE_KEY", key);
    }
    let mut process = Process::spawn("grpc-service", command, Process::folder("grpc-service")?)?;
    process.wait_for_port(port).await?;
    Ok(process)
}

/// A client by grpcio, which knows the messages of a [`GrpcService`].
#[derive(Debug)]
pub struct GrpcClient(Script);

impl GrpcClient {
    /// Starts it.
    ///
    /// # Errors
    /// [`PeerError::Missing`] when grpcio is not installed.
    pub fn start(service: &GrpcService) -> Result<Self, PeerError> {
        let python = Python::find()?;
        python.package("grpc")?;
        let mut command = python.command();
        command.arg(repository().join("tests/peers/grpc_client.py")).arg(service.folder());
        Script::start("grpc_client.py", command).map(Self)
    }

    /// Calls a method at an address: the kind of call (`unary`, `count`, `collect`, `chat`) and its arguments. Gives
    /// `{replies, code, message, head, trailers}`, the last two as lists of pairs.
    ///
    /// # Errors
    /// What the client says of what is no status.
    pub async fn call(&self, address: SocketAddr, kind: &str, arguments: Value) -> Result<Value, PeerError> {
        let mut arguments = arguments;
        arguments["address"] = json!(address.to_string());
        self.0.call(kind, arguments).await
    }
}
