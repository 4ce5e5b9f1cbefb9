#![doc = include_str!("../README.md")]
#![allow(clippy::print_stderr, reason = "a command says what is wrong")]

mod amqp;
mod broker;
mod nats;

use std::{
    process::ExitCode,
    time::{Duration, Instant},
};

use bytes::Bytes;
use futures_util::{StreamExt, stream::FuturesUnordered};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::TcpListener,
};

type Problem = Box<dyn std::error::Error + Send + Sync>;

const USAGE: &str = "usage: raw-client broker nats|rabbitmq PORT\n       raw-client respond URL PORT\n       \
                     raw-client nats-publish|nats-request|jetstream|amqp URL PORT";

/// One message, and its acknowledgement.
trait Work {
    async fn send(&self, number: usize, payload: Bytes) -> Result<(), Problem>;
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
        "nats-publish" => serve(&nats::Publish::new(target).await?, port).await,
        "nats-request" => serve(&nats::Ask::new(target).await?, port).await,
        "jetstream" => serve(&nats::Ask::stream(target).await?, port).await,
        "amqp" => serve(&amqp::Publish::new(target).await?, port).await,
        _ => Err(USAGE.into()),
    }
}

async fn listen(port: u16) -> Result<TcpListener, Problem> {
    Ok(TcpListener::bind(("127.0.0.1", port)).await?)
}

/// Sends for each connection that asks for it.
async fn serve(sender: &impl Work, port: u16) -> Result<(), Problem> {
    let listener = listen(port).await?;
    loop {
        let mut connection = BufReader::new(listener.accept().await?.0);
        let mut line = String::new();
        // Who only looks whether the port is open says nothing.
        if connection.read_line(&mut line).await? == 0 {
            continue;
        }
        let (seconds, most) = line.trim().split_once(' ').ok_or("the line is `SECONDS IN-FLIGHT`")?;
        let count = send(sender, Duration::from_secs(seconds.parse()?), most.parse()?).await?;
        connection.write_all(format!("{count}\n").as_bytes()).await?;
    }
}

/// Keeps so many messages under way for as long; answers how many were acknowledged.
async fn send(sender: &impl Work, time: Duration, most: usize) -> Result<u64, Problem> {
    let payload = Bytes::from(vec![b'x'; 1024]);
    let (end, mut count) = (Instant::now() + time, 0);
    let mut under_way: FuturesUnordered<_> = (0..most).map(|number| sender.send(number, payload.clone())).collect();
    let mut number = most;
    while let Some(sent) = under_way.next().await {
        sent?;
        count += 1;
        if Instant::now() < end {
            under_way.push(sender.send(number, payload.clone()));
            number += 1;
        }
    }
    Ok(count)
}
