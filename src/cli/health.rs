//! `callgate health`: asks a gateway that runs how it is. For images that have no shell and no other client.

use std::{
    io::{self, Read, Write},
    net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream},
    os::unix::net::UnixStream,
    time::Duration,
};

use callgate_core::plan::Address;
use clap::Args;
use serde_json::Value;

use super::answer::{Answer, Failed};

/// How long the admin may take; it answers to probes at once.
const PATIENCE: Duration = Duration::from_secs(3);
/// The longest answer that is read, in bytes.
const LONGEST: u64 = 1 << 20;

/// Whom to ask for what.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The admin's address. It is not read from a configuration, which may have changed since the gateway took it.
    #[arg(default_value = "127.0.0.1:9901")]
    address: Address,
    /// Asks whether the process runs, not whether it wants traffic. For what restarts it when the answer is no.
    #[arg(long)]
    live: bool,
}

pub(super) fn health(arguments: &Arguments) -> Result<Answer, Failed> {
    let path = if arguments.live { "/live" } else { "/ready" };
    let shown = &arguments.address;
    let (status, body) = ask(shown, path)
        .map_err(|error| Failed::Impossible(format!("no answer of a gateway's admin at {shown}: {error}")))?;
    let told: Value = serde_json::from_str(&body).unwrap_or_default();
    match (status, told[&path[1..]].as_bool()) {
        (200, Some(true)) => Ok(Answer::new(path[1..].to_owned(), told)),
        (_, Some(false)) => {
            let reason = told["reason"].as_str().unwrap_or("it does not say why");
            Err(Failed::Unready(Answer::new(format!("error: not {}: {reason}", &path[1..]), told)))
        }
        _ => Err(Failed::Impossible(format!("what answers {status} at {shown} is no gateway's admin"))),
    }
}

/// Status and body of what is answered to GET.
fn ask(address: &Address, path: &str) -> io::Result<(u16, String)> {
    match address {
        Address::Tcp(address) => {
            let stream = TcpStream::connect_timeout(&reachable(*address), PATIENCE)?;
            stream.set_read_timeout(Some(PATIENCE))?;
            stream.set_write_timeout(Some(PATIENCE))?;
            exchange(stream, path)
        }
        Address::Unix(file) => {
            let stream = UnixStream::connect(file)?;
            stream.set_read_timeout(Some(PATIENCE))?;
            stream.set_write_timeout(Some(PATIENCE))?;
            exchange(stream, path)
        }
    }
}

/// Whoever listens at every address is asked at this machine's own.
fn reachable(mut address: SocketAddr) -> SocketAddr {
    match address {
        SocketAddr::V4(v4) if v4.ip().is_unspecified() => address.set_ip(Ipv4Addr::LOCALHOST.into()),
        SocketAddr::V6(v6) if v6.ip().is_unspecified() => address.set_ip(Ipv6Addr::LOCALHOST.into()),
        SocketAddr::V4(_) | SocketAddr::V6(_) => {}
    }
    address
}

/// HTTP/1.0, so that the body ends with the connection.
fn exchange(mut stream: impl Read + Write, path: &str) -> io::Result<(u16, String)> {
    write!(stream, "GET {path} HTTP/1.0\r\nhost: callgate\r\n\r\n")?;
    let mut text = String::new();
    stream.take(LONGEST).read_to_string(&mut text)?;
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    let status = head.split_ascii_whitespace().nth(1).and_then(|status| status.parse().ok());
    let status = status.ok_or_else(|| io::Error::other("it does not speak HTTP"))?;
    Ok((status, body.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_listens_everywhere_is_asked_here() {
        for (given, asked) in
            [("0.0.0.0:1", "127.0.0.1:1"), ("[::]:1", "[::1]:1"), ("10.0.0.1:1", "10.0.0.1:1"), ("[::2]:1", "[::2]:1")]
        {
            assert_eq!(reachable(given.parse().unwrap()), asked.parse().unwrap());
        }
    }

    #[test]
    fn an_answer_ends_with_the_connection() {
        struct Scripted(io::Cursor<&'static [u8]>);
        impl Read for Scripted {
            fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
                self.0.read(buffer)
            }
        }
        impl Write for Scripted {
            fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
                Ok(buffer.len())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let told = |text: &'static str| exchange(Scripted(io::Cursor::new(text.as_bytes())), "/live");
        assert_eq!(told("HTTP/1.0 503 X\r\na: b\r\n\r\n{}").unwrap(), (503, "{}".to_owned()));
        assert!(told("SSH-2.0-OpenSSH").is_err());
    }
}
