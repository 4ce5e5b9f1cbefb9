#![doc = include_str!("../README.md")]

mod acknowledgement;
mod call;
mod config;
mod error;
mod function;
mod link;
mod mailbox;
mod replies;
mod response;
mod shape;
mod subject;
mod target;

use callgate_core::{Context, Invalid, Invocation, Response, Upstream, UpstreamError};

pub use config::{Config, Credentials, Tls};
pub use function::Function;
pub use target::{Answer, Headers, Mode, Payload, Target};

use link::Link;

/// The kind `nats`: a NATS server or cluster.
#[derive(Debug)]
pub struct Nats {
    link: Link,
}

impl Upstream for Nats {
    const KIND: &'static str = "nats";
    const SUMMARY: &'static str = "NATS subjects: publish, request-reply, JetStream";

    type Config = Config;
    type Target = Target;
    type Function = Function;

    async fn connect(config: Config, context: Context) -> Result<Self, UpstreamError> {
        Ok(Self { link: Link::open(&config, &context).await? })
    }

    fn bind(&self, target: Target) -> Result<Function, Invalid> {
        Function::compile(&target)
    }

    async fn call(&self, function: &Function, invocation: Invocation) -> Result<Response, UpstreamError> {
        let Invocation { request, context } = invocation;
        let (head, body) = request.into_parts();
        let body = body.collect(context.max_body()).await.map_err(UpstreamError::request_body)?;
        let message = function.message(&head, body, &context)?;
        call::perform(&self.link, function, message, &context).await
    }

    async fn ready(&self) -> Result<(), UpstreamError> {
        Ok(self.link.probe().await?)
    }

    fn preview(target: &Target, invocation: &Invocation) -> Option<String> {
        Function::compile(target).ok()?.preview(invocation)
    }

    async fn close(&self) {
        self.link.close().await;
    }
}
