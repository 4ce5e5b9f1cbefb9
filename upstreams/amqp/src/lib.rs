#![doc = include_str!("../README.md")]

mod address;
mod call;
mod config;
mod connections;
mod declare;
mod dial;
mod error;
mod function;
mod key;
mod lane;
mod link;
mod outgoing;
mod refusal;
mod response;
mod session;
mod shape;
mod solo;
mod standing;
mod target;
mod trigger;

use callgate_core::{Context, Files, Invalid, Invocation, Links, Response, Upstream, UpstreamError};
use callgate_message::Whole;

pub use config::{Config, Credentials};
pub use declare::{Binding, Declare, Exchange, Queue, QueueType};
pub use function::Function;
pub use target::{Mode, Target};
pub use trigger::{AmqpTrigger, Receipt, TriggerConfig};

use connections::Shared;
use link::Link;

/// The kind `amqp`: a broker of AMQP 0-9-1, such as RabbitMQ.
#[derive(Debug)]
pub struct Amqp {
    links: Links<Link>,
    exchange: String,
}

impl Upstream for Amqp {
    const KIND: &'static str = "amqp";
    const SUMMARY: &'static str = "AMQP 0-9-1 (RabbitMQ): publish with confirms, request-reply";

    type Config = Config;
    type Target = Target;
    type Function = Function;

    fn read_files(config: &mut Config, files: &Files) -> Vec<Invalid> {
        config.read_files(files)
    }

    async fn connect(config: Config, context: Context) -> Result<Self, UpstreamError> {
        let (exchange, per_worker) = (config.exchange.clone(), config.connection_per_worker);
        let shared = Shared::new(config, &context).await?;
        Ok(Self { links: Links::open(shared, per_worker, context).await?, exchange })
    }

    fn bind(&self, target: Target) -> Result<Function, Invalid> {
        let function = compile(&target, &self.exchange)?;
        self.links.common().needs(function.exchange.as_str());
        Ok(function)
    }

    async fn call(&self, function: &Function, invocation: Invocation) -> Result<Response, UpstreamError> {
        let whole = Whole::read(invocation).await?;
        call::perform(self.links.here(), function, &whole).await
    }

    fn is_idempotent(&self, function: &Function, invocation: &Invocation) -> bool {
        function.is_idempotent(invocation)
    }

    async fn ready(&self) -> Result<(), UpstreamError> {
        Ok(self.links.common().probe().await?)
    }

    fn preview(config: &Config, target: &Target, invocation: Invocation) -> Result<Option<String>, UpstreamError> {
        let Ok(function) = compile(target, &config.exchange) else { return Ok(None) };
        function.preview(&Whole::of(&invocation)).map(Some)
    }

    async fn close(&self) {
        self.links.close().await;
    }
}

/// `Settings::check` has told everything that is wrong; here the first is enough.
fn compile(target: &Target, exchange: &str) -> Result<Function, Invalid> {
    Function::compile(target, exchange)
        .map_err(|flaws| flaws.into_iter().next().unwrap_or_else(|| Invalid::new("the function can't be compiled")))
}
