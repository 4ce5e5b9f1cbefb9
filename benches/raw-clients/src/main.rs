#![doc = include_str!("../README.md")]
#![allow(clippy::print_stderr, reason = "a command says what is wrong")]

mod amqp;
mod broker;
mod copier;
mod handler;
mod nats;

use std::process::ExitCode;

use bytes::Bytes;
use tokio::net::TcpListener;

type Problem = Box<dyn std::error::Error + Send + Sync>;

const USAGE: &str = "usage: raw-client broker nats|rabbitmq PORT\n       raw-client respond URL PORT\n       \
                     raw-client copy SERVICE-PORT PORT\n       \
                     raw-client nats-publish|nats-request|jetstream|amqp URL PORT";
/// The client's answer where only an acknowledgement came back: as long as the gateway's.
const ACCEPTED: Bytes = Bytes::from_static(br#"{"id":"0192f0c1-7d1e-7c55-8f0a-3a4c9e0a7b11"}"#);

/// One message, and its acknowledgement; gives what the client is answered with.
trait Work: Send + Sync + 'static {
    fn send(&self, payload: Bytes) -> impl Future<Output = Result<Bytes, Problem>> + Send;
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match run(&arguments).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("{problem}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: &[String]) -> Result<(), Problem> {
    let [work, target, port] = arguments else { return Err(USAGE.into()) };
    let port: u16 = port.parse()?;
    match work.as_str() {
        "broker" => broker::serve(target, port).await,
        "respond" => nats::respond(target, listen(port).await?).await,
        "copy" => copier::serve(target.parse()?, port).await,
        "nats-publish" => handler::serve(nats::Publish::new(target).await?, port).await,
        "nats-request" => handler::serve(nats::Ask::new(target).await?, port).await,
        "jetstream" => handler::serve(nats::Ask::stream(target).await?, port).await,
        "amqp" => handler::serve(amqp::Publish::new(target).await?, port).await,
        _ => Err(USAGE.into()),
    }
}

async fn listen(port: u16) -> Result<TcpListener, Problem> {
    Ok(TcpListener::bind(("127.0.0.1", port)).await?)
}
