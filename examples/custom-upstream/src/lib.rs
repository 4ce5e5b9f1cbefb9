#![doc = include_str!("../README.md")]

mod config;
mod error;
mod function;
mod link;
mod replies;
mod shape;
mod stream;
mod target;
mod trigger;

use callgate_core::{Context, Discovered, Invalid, Invocation, Response, Upstream, UpstreamError};
use callgate_message::Whole;
use serde_json::{Map, Value};

pub use config::Config;
pub use function::Function;
pub use target::{Mode, Target};
pub use trigger::{Receipt, RedisTrigger, TriggerConfig};

use error::RedisError;
use function::Call;
use link::Link;

/// The kind `redis`: a Redis server, whose streams are functions.
#[derive(Debug)]
pub struct Redis {
    link: Link,
    /// The largest message, in bytes.
    largest: u64,
}

impl Upstream for Redis {
    const KIND: &'static str = "redis";
    const SUMMARY: &'static str = "streams of Redis: append, request-reply";
    const DISCOVERS: bool = true;
    type Config = Config;
    type Target = Target;
    type Function = Function;

    async fn connect(config: Config, context: Context) -> Result<Self, UpstreamError> {
        Ok(Self { link: Link::open(&config, &context).await?, largest: config.max_payload.bytes() })
    }

    fn bind(&self, target: Target) -> Result<Function, Invalid> {
        Function::compile(&target).map_err(|mut found| found.swap_remove(0))
    }

    async fn call(&self, function: &Function, invocation: Invocation) -> Result<Response, UpstreamError> {
        let whole = Whole::read(invocation).await?;
        let Call { append, accepted, wants_reply } = function.call(&whole)?;
        if append.message.payload.len() as u64 > self.largest {
            return Err(RedisError::TooLarge { stream: append.stream, limit: self.largest }.into());
        }
        if wants_reply {
            return self.ask(&append).await;
        }
        let entry = self.link.append(&append, &[]).await?;
        let told = Map::from_iter([("entry".to_owned(), Value::from(entry))]);
        Ok(accepted.into_response(whole.context(), told))
    }

    async fn ready(&self) -> Result<(), UpstreamError> {
        Ok(self.link.ready()?)
    }

    async fn discover(&self) -> Result<Vec<Discovered>, UpstreamError> {
        let streams = self.link.streams().await?;
        Ok(streams.into_iter().map(|(name, length)| Discovered::new(name).with_note(entries(length))).collect())
    }

    fn listed_as(&self, function: &Function) -> Option<String> {
        function.fixed_stream().map(str::to_owned)
    }

    /// An entry of a stream has an id of its own each time: a second one is a second message.
    fn is_idempotent(&self, _: &Function, _: &Invocation) -> bool {
        false
    }

    fn preview(_: &Config, target: &Target, invocation: Invocation) -> Result<Option<String>, UpstreamError> {
        let Ok(function) = Function::compile(target) else { return Ok(None) };
        let Call { append, .. } = function.call(&Whole::of(&invocation))?;
        Ok(Some(append.message.to_text(&[("stream", &append.stream)])))
    }

    async fn close(&self) {
        self.link.close().await;
    }
}

impl Redis {
    /// Appends a request and waits for the entry that answers it.
    async fn ask(&self, append: &function::Append) -> Result<Response, UpstreamError> {
        let reply = self.link.replies().expect();
        let (stream, call) = (self.link.replies().stream(), reply.call().to_string());
        self.link.append(append, &[(shape::REPLY_TO, stream), (shape::CALL, &call)]).await?;
        Ok(shape::response(reply.entry().await.ok_or_else(|| RedisError::Unknown { stream: append.stream.clone() })?)?)
    }
}

fn entries(length: u64) -> String {
    if length == 1 { "1 entry".to_owned() } else { format!("{length} entries") }
}
