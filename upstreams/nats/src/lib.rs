#![doc = include_str!("../README.md")]

mod acknowledgement;
pub mod bucket;
mod call;
mod config;
mod desk;
mod error;
mod function;
mod known;
mod link;
mod mailbox;
mod marks;
mod places;
mod proof;
mod refusals;
mod replies;
mod response;
mod shape;
mod subject;
mod target;
mod trigger;
mod trust;
mod voice;

use callgate_core::{Context, Files, Invalid, Invocation, Links, Response, Upstream, UpstreamError};
use callgate_message::Whole;

pub use config::{Config, Credentials, Tls};
pub use function::Function;
pub use target::{Mode, Target};
pub use trigger::{NatsTrigger, Receipt, TriggerConfig};

use link::{Link, Settings};

/// The kind `nats`: a NATS server or cluster.
#[derive(Debug)]
pub struct Nats {
    links: Links<Link>,
}

impl Upstream for Nats {
    const KIND: &'static str = "nats";
    const SUMMARY: &'static str = "NATS subjects: publish, request-reply, JetStream";

    type Config = Config;
    type Target = Target;
    type Function = Function;

    fn read_files(config: &mut Config, files: &Files) -> Vec<Invalid> {
        config.read_files(files)
    }

    async fn connect(config: Config, context: Context) -> Result<Self, UpstreamError> {
        let per_worker = config.connection_per_worker;
        Ok(Self { links: Links::open(Settings::new(config), per_worker, context).await? })
    }

    fn bind(&self, target: Target) -> Result<Function, Invalid> {
        Function::compile(&target).map_err(|mut found| found.swap_remove(0))
    }

    /// What is held across a wait is moved into the future once: a request is large.
    fn call(
        &self,
        function: &Function,
        invocation: Invocation,
    ) -> impl Future<Output = Result<Response, UpstreamError>> + Send {
        let (mut whole, body) = Whole::head_of(invocation);
        async move {
            whole.read_body(body).await?;
            let call = function.message(&whole)?;
            let link = self.links.here();
            // A worker's own is up, or it would not serve.
            if std::ptr::eq(link, self.links.common()) {
                link.check()?;
            }
            call::perform(link, function, call, &whole.into_context()).await
        }
    }

    fn is_idempotent(&self, function: &Function, invocation: &Invocation) -> bool {
        function.is_idempotent(invocation)
    }

    async fn ready(&self) -> Result<(), UpstreamError> {
        Ok(self.links.common().probe().await?)
    }

    fn preview(_: &Config, target: &Target, invocation: Invocation) -> Result<Option<String>, UpstreamError> {
        let Ok(function) = Function::compile(target) else { return Ok(None) };
        function.preview(&Whole::of(&invocation)).map(Some)
    }

    async fn close(&self) {
        self.links.close().await;
    }
}
