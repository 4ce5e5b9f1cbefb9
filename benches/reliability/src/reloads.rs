//! Reloads each second, in turn by the admin, by the change of a file alone, and by SIGHUP.

use std::time::{Duration, Instant};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{MissedTickBehavior, interval},
};

use crate::{Problem, gateway::Gateway};

/// What was asked for.
#[derive(Debug, Default)]
pub(crate) struct Reloads {
    pub(crate) by_admin: u32,
    pub(crate) by_files: u32,
    pub(crate) by_signal: u32,
    pub(crate) longest: Duration,
}

/// What came of it, by the gateway's log.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Done {
    pub(crate) reloads: usize,
    refused: usize,
    /// How many of them replaced the upstream.
    pub(crate) replaced: usize,
}

impl Reloads {
    /// Reloads until it is dropped, each time with the parts of a configuration that belong to the number.
    pub(crate) async fn run(&mut self, gateway: &Gateway, parts: impl Fn(u32) -> String) -> Result<(), Problem> {
        let mut seconds = interval(Duration::from_secs(1));
        seconds.set_missed_tick_behavior(MissedTickBehavior::Delay);
        for number in 1.. {
            seconds.tick().await;
            let started = Instant::now();
            gateway.configure(&parts(number))?;
            match number % 3 {
                0 => {
                    gateway.hang_up()?;
                    self.by_signal += 1;
                }
                1 => {
                    post(gateway).await?;
                    self.by_admin += 1;
                    self.longest = self.longest.max(started.elapsed());
                }
                _ => self.by_files += 1,
            }
        }
        Ok(())
    }
}

/// The `connect_timeout` of the version of this number: every second version has another one, which replaces the upstream.
pub(crate) fn connect_timeout(number: u32) -> String {
    format!("connect_timeout: {}s", 5 + number / 2 % 2)
}

/// A route that only the version of this number has.
pub(crate) fn own_route(number: u32) -> String {
    format!("{{match: /only/{number}, respond: {{status: 204}}}}")
}

impl Done {
    pub(crate) fn read(gateway: &Gateway) -> Self {
        let log = gateway.log();
        Self {
            reloads: log.matches("The configuration was reloaded: ").count(),
            refused: log.matches("The configuration can't be reloaded").count(),
            replaced: log.matches("\"upstreams_closed\":1").count(),
        }
    }

    /// Fails when it was not reloaded about each second, or a reload was refused, so that nothing is proved.
    pub(crate) fn bear(self, seconds: u64) -> Result<(), String> {
        let Self { reloads, refused, replaced } = self;
        if refused == 0 && reloads as u64 * 10 >= seconds * 9 && replaced as u64 * 10 >= seconds * 4 {
            return Ok(());
        }
        Err(format!(
            "in {seconds} s {reloads} reloads succeeded, of which {replaced} replaced the upstream, and {refused} were refused: \
             one each second was wanted, every second of which replaces it, and none refused"
        ))
    }
}

async fn post(gateway: &Gateway) -> Result<(), Problem> {
    let mut stream = TcpStream::connect(gateway.admin).await?;
    stream.write_all(b"POST /reload HTTP/1.1\r\nhost: a\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    if answer.starts_with("HTTP/1.1 200") { Ok(()) } else { Err(answer.into()) }
}

#[cfg(test)]
mod tests {
    use super::Done;

    #[test]
    fn few_or_refused_reloads_prove_nothing() {
        let done = |reloads, refused, replaced| Done { reloads, refused, replaced }.bear(60);
        assert_eq!((done(60, 0, 30), done(54, 0, 24)), (Ok(()), Ok(())));
        for few in [done(53, 0, 30), done(60, 1, 30), done(60, 0, 23)] {
            few.unwrap_err();
        }
    }
}
