//! A client that speaks to a balancer, on one connection after the other or on one for all requests.

use std::{
    io::{self, ErrorKind},
    net::{Ipv4Addr, SocketAddr},
};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
    time::timeout,
};

use super::gateways::PATIENCE;

/// What a client got.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) text: String,
}

/// A client.
pub(crate) struct Client {
    port: u16,
    /// Whether it goes on on the connection that it has.
    keeps: bool,
    connection: Option<TcpStream>,
}

impl Client {
    pub(crate) const fn new(port: u16, keeps: bool) -> Self {
        Self { port, keeps, connection: None }
    }

    /// Sends a request, whose head has no end, and reads the answer.
    pub(crate) async fn ask(&mut self, head: &str, body: &str) -> io::Result<Answer> {
        let kept = self.connection.is_some();
        let asked = self.once(head, body).await;
        // A connection that was kept may be closed at any time, and who asks for nothing but an answer asks again, as every
        // client does.
        if kept && head.starts_with("GET ") && asked.is_err() { self.once(head, body).await } else { asked }
    }

    async fn once(&mut self, head: &str, body: &str) -> io::Result<Answer> {
        timeout(PATIENCE, self.exchange(head, body)).await.unwrap_or_else(|_| Err(ErrorKind::TimedOut.into()))
    }

    async fn exchange(&mut self, head: &str, body: &str) -> io::Result<Answer> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).await?,
        };
        let length = if body.is_empty() { String::new() } else { format!("content-length: {}\r\n", body.len()) };
        let close = if self.keeps { "" } else { "connection: close\r\n" };
        let request = format!("{head}host: shop.test\r\n{length}{close}\r\n{body}");
        connection.write_all(request.as_bytes()).await?;
        let (answer, goes_on) = answer(&mut connection).await?;
        if goes_on && self.keeps {
            self.connection = Some(connection);
        }
        Ok(answer)
    }
}

/// Reads one answer, and whether another one may follow it.
pub(crate) async fn answer(connection: &mut (impl AsyncRead + Unpin)) -> io::Result<(Answer, bool)> {
    let mut bytes = Vec::new();
    let end = loop {
        if connection.read_buf(&mut bytes).await? == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break end + 4;
        }
    };
    let head = String::from_utf8_lossy(&bytes[..end]).to_lowercase();
    let field = |name: &str| head.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).ok_or(ErrorKind::InvalidData)?;
    match field("content-length:").and_then(|length| length.parse::<usize>().ok()) {
        Some(length) => {
            while bytes.len() < end + length {
                if connection.read_buf(&mut bytes).await? == 0 {
                    return Err(ErrorKind::UnexpectedEof.into());
                }
            }
        }
        None => drop(connection.read_to_end(&mut bytes).await?),
    }
    let goes_on = field("content-length:").is_some() && field("connection:") != Some("close");
    Ok((Answer { status, text: String::from_utf8_lossy(&bytes[end..]).into_owned() }, goes_on))
}

/// Connects from another address of this machine.
pub(crate) async fn connect_from(own: Ipv4Addr, port: u16) -> io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.bind(SocketAddr::from((own, 0)))?;
    socket.connect(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).await
}
