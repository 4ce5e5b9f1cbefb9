#![doc = include_str!("../README.md")]

mod config;
mod error;
mod shape;

use callgate_core::{Context, Discovered, Invalid, Invocation, Response, Upstream, UpstreamError};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

pub use config::{Config, Target};

use error::SkeletonError;

/// What JSON and base64 may add to a body, beside a third of it.
const ROOM: u64 = 1 << 20;

/// The kind `skeleton`: a remote that takes calls at a TCP address.
#[derive(Debug)]
pub struct Skeleton {
    config: Config,
}

impl Upstream for Skeleton {
    /// The key in the YAML document.
    const KIND: &'static str = "skeleton";
    const SUMMARY: &'static str = "functions behind a line of JSON";
    /// `discover` lists functions.
    const DISCOVERS: bool = true;
    type Config = Config;
    type Target = Target;
    /// What a target becomes at load. A kind with templates or descriptors compiles them in `bind`.
    type Function = Target;

    /// Runs once. It must not fail because the remote is down: this kind connects at each call.
    async fn connect(config: Config, _: Context) -> Result<Self, UpstreamError> {
        Ok(Self { config })
    }

    /// Runs once for every function that a route names.
    fn bind(&self, target: Target) -> Result<Target, Invalid> {
        Ok(target)
    }

    /// Runs per request. It may be dropped at any await: the client has gone, or the time is over.
    async fn call(&self, function: &Target, invocation: Invocation) -> Result<Response, UpstreamError> {
        let Invocation { request, context } = invocation;
        let limit = context.max_body();
        let (head, body) = request.into_parts();
        let body = body.collect(limit).await.map_err(UpstreamError::request_body)?;
        let line = shape::call(&function.name, self.token(), &head, &body);
        let reply = self.exchange(&line, limit + limit / 2 + ROOM).await?;
        Ok(shape::response(&reply)?)
    }

    /// Whether calls can be expected to succeed now: for `/ready` and `callgate check --connect`.
    async fn ready(&self) -> Result<(), UpstreamError> {
        TcpStream::connect(&self.config.address).await.map_err(SkeletonError::Unreachable)?;
        Ok(())
    }

    /// The functions that the remote has: each can be named by a route.
    async fn discover(&self) -> Result<Vec<Discovered>, UpstreamError> {
        let reply = self.exchange(&shape::list(self.token()), ROOM).await?;
        Ok(shape::names(&reply)?.into_iter().map(Discovered::new).collect())
    }

    /// The name under which `discover` lists a function.
    fn listed_as(&self, function: &Target) -> Option<String> {
        Some(function.name.clone())
    }
}

impl Skeleton {
    fn token(&self) -> Option<&str> {
        self.config.token.as_ref().map(|token| token.expose())
    }

    /// Sends a line and reads what comes back, up to so many bytes.
    async fn exchange(&self, line: &str, limit: u64) -> Result<Vec<u8>, SkeletonError> {
        let mut stream = TcpStream::connect(&self.config.address).await.map_err(SkeletonError::Unreachable)?;
        stream.write_all(line.as_bytes()).await.map_err(SkeletonError::Broken)?;
        stream.shutdown().await.map_err(SkeletonError::Broken)?;
        let mut reply = Vec::new();
        stream.take(limit).read_to_end(&mut reply).await.map_err(SkeletonError::Broken)?;
        Ok(reply)
    }
}
