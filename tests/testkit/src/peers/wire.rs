use std::{io, net::SocketAddr, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{Instant, timeout_at},
};

/// A bare TCP connection, for requests that no HTTP client would send.
#[derive(Debug)]
pub struct Wire {
    stream: TcpStream,
}

/// What came over a [`Wire`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received {
    /// The bytes, as they came.
    pub bytes: Vec<u8>,
    /// Whether the other side closed or reset the connection; else the limit was reached first.
    pub closed: bool,
}

impl Wire {
    /// Connects.
    ///
    /// # Errors
    /// When the connection is refused.
    pub async fn connect(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream })
    }

    /// Sends the bytes as they are.
    ///
    /// # Errors
    /// When the other side has closed the connection, which may well be its answer to earlier bytes.
    pub async fn send(&mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        self.stream.write_all(bytes.as_ref()).await
    }

    /// Says that nothing more will be sent; answers can still be read.
    ///
    /// # Errors
    /// When the connection is gone.
    pub async fn finish(&mut self) -> io::Result<()> {
        self.stream.shutdown().await
    }

    /// Reads until the other side closes, for at most the limit.
    pub async fn read_to_end(&mut self, limit: Duration) -> Received {
        self.read_until(limit, |_| false).await
    }

    /// Reads until the bytes so far satisfy the test, the other side closes or the limit is reached.
    pub async fn read_until(&mut self, limit: Duration, mut enough: impl FnMut(&[u8]) -> bool) -> Received {
        let deadline = Instant::now() + limit;
        let mut bytes = Vec::new();
        while !enough(&bytes) {
            match timeout_at(deadline, self.stream.read_buf(&mut bytes)).await {
                Ok(Ok(1..)) => {}
                Ok(Ok(0) | Err(_)) => return Received { bytes, closed: true },
                Err(_) => return Received { bytes, closed: false },
            }
        }
        Received { bytes, closed: false }
    }
}

impl Received {
    /// The bytes as text, with replacement characters where they are not UTF-8.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }

    /// The status codes of the HTTP/1.1 responses, in order; the interim ones too.
    ///
    /// A body that contains a status line of its own is counted as well, which no test server sends.
    #[must_use]
    pub fn statuses(&self) -> Vec<u16> {
        let text = self.text();
        let lines = text.match_indices("HTTP/1.1 ").map(|(at, found)| &text[at + found.len()..]);
        lines.filter_map(|rest| rest.get(..3)?.parse().ok()).collect()
    }

    /// The status of the first response, if one came.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        self.statuses().first().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_are_read_in_order() {
        let bytes =
            b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nokHTTP/1.1 404 Not Found"
                .to_vec();
        assert_eq!(Received { bytes, closed: true }.statuses(), [100, 200, 404]);
    }

    #[test]
    fn no_response_has_no_status() {
        assert_eq!(Received { bytes: Vec::new(), closed: true }.status(), None);
    }
}
