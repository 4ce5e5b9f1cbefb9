//! PROXY protocol, versions 1 and 2: what a load balancer says, in front of a connection, of the client behind it.
//!
//! <https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt>

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
};

use tokio::io::{AsyncRead, AsyncReadExt};

/// The first bytes of version 2.
const SIGNATURE: [u8; 12] = *b"\r\n\r\n\0\r\nQUIT\n";

/// The longest line of version 1, its end included.
const LONGEST_LINE: usize = 107;

/// The longest header of version 2 after its first 16 bytes. Addresses take 216 bytes at most; the rest is for what
/// balancers add, which is thrown away.
const LONGEST_HEADER: u16 = 4096;

/// What is wrong with a header.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub(super) enum Malformed {
    #[error("the connection does not begin with a PROXY protocol header")]
    Absent,
    #[error("the line of the PROXY protocol is malformed")]
    Line,
    #[error("the PROXY protocol header is malformed")]
    Header,
    #[error("the PROXY protocol header has {0} bytes, and {LONGEST_HEADER} are allowed")]
    TooLong(u16),
}

/// Reads the header, and not a byte more. Gives the client's address; `None` where the connection is the balancer's own,
/// or it does not know.
pub(super) async fn read(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Option<SocketAddr>> {
    // Any header has more.
    let mut begin = [0; SIGNATURE.len()];
    stream.read_exact(&mut begin).await?;
    if begin == SIGNATURE {
        let mut rest = [0; 4];
        stream.read_exact(&mut rest).await?;
        let [command, family, length @ ..] = rest;
        let length = u16::from_be_bytes(length);
        if length > LONGEST_HEADER {
            return Err(refused(Malformed::TooLong(length)));
        }
        let mut addresses = vec![0; length.into()];
        stream.read_exact(&mut addresses).await?;
        return client_of_header(command, family, &addresses).map_err(refused);
    }
    if !begin.starts_with(b"PROXY ") {
        return Err(refused(Malformed::Absent));
    }
    let mut line = begin.to_vec();
    // Byte by byte, as what follows the line is not ours.
    while !line.ends_with(b"\r\n") {
        if line.len() == LONGEST_LINE {
            return Err(refused(Malformed::Line));
        }
        line.push(stream.read_u8().await?);
    }
    client_of_line(&line).map_err(refused)
}

fn refused(malformed: Malformed) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, malformed)
}

/// Version 1: `PROXY TCP4 192.0.2.1 198.51.100.1 56324 443`.
fn client_of_line(line: &[u8]) -> Result<Option<SocketAddr>, Malformed> {
    let line = line.strip_suffix(b"\r\n").and_then(|line| std::str::from_utf8(line).ok()).ok_or(Malformed::Line)?;
    let mut words = line.split(' ');
    let mut word = || words.next().ok_or(Malformed::Line);
    if word()? != "PROXY" {
        return Err(Malformed::Line);
    }
    let address = |text: &str, v4: bool| {
        let address: IpAddr = if v4 {
            text.parse::<Ipv4Addr>().map_err(|_| Malformed::Line)?.into()
        } else {
            text.parse::<Ipv6Addr>().map_err(|_| Malformed::Line)?.into()
        };
        Ok(address)
    };
    let port = |text: &str| {
        let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse::<u16>().ok().filter(|_| digits).ok_or(Malformed::Line)
    };
    let v4 = match word()? {
        "UNKNOWN" => return Ok(None),
        "TCP4" => true,
        "TCP6" => false,
        _ => return Err(Malformed::Line),
    };
    let source = address(word()?, v4)?;
    address(word()?, v4)?;
    let source = SocketAddr::new(source, port(word()?)?);
    port(word()?)?;
    if words.next().is_some() { Err(Malformed::Line) } else { Ok(Some(source)) }
}

/// Version 2, after its signature. What follows the addresses is not looked at.
fn client_of_header(command: u8, family: u8, addresses: &[u8]) -> Result<Option<SocketAddr>, Malformed> {
    match command {
        // LOCAL: a health check, for one.
        0x20 => return Ok(None),
        0x21 => {}
        _ => return Err(Malformed::Header),
    }
    match family {
        // Unspecified, and Unix sockets.
        0x00 | 0x31 => Ok(None),
        0x11 => {
            let (source, port) = (part::<4>(addresses, 0)?, part::<2>(addresses, 8)?);
            part::<2>(addresses, 10)?;
            Ok(Some(SocketAddr::new(IpAddr::from(source), u16::from_be_bytes(port))))
        }
        0x21 => {
            let (source, port) = (part::<16>(addresses, 0)?, part::<2>(addresses, 32)?);
            part::<2>(addresses, 34)?;
            Ok(Some(SocketAddr::new(IpAddr::from(source), u16::from_be_bytes(port))))
        }
        _ => Err(Malformed::Header),
    }
}

fn part<const N: usize>(bytes: &[u8], at: usize) -> Result<[u8; N], Malformed> {
    bytes.get(at..at + N).and_then(|part| part.try_into().ok()).ok_or(Malformed::Header)
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn client(bytes: &[u8]) -> Result<(Option<String>, Vec<u8>), String> {
        let mut rest = bytes;
        let client = read(&mut rest).await.map_err(|error| error.to_string())?;
        Ok((client.map(|client| client.to_string()), rest.to_vec()))
    }

    fn header(command: u8, family: u8, addresses: &[u8]) -> Vec<u8> {
        let length = u16::try_from(addresses.len()).unwrap().to_be_bytes();
        [&SIGNATURE[..], &[command, family], &length, addresses].concat()
    }

    #[tokio::test]
    async fn a_line_tells_the_client_and_what_follows_it_is_left() {
        for (line, expected) in [
            ("PROXY TCP4 192.0.2.1 198.51.100.1 56324 443\r\n", Some("192.0.2.1:56324")),
            ("PROXY TCP6 2001:db8::1 ::1 65535 1\r\n", Some("[2001:db8::1]:65535")),
            ("PROXY UNKNOWN\r\n", None),
            ("PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n", None),
        ] {
            let (client, rest) = client(format!("{line}GET / HTTP/1.1\r\n").as_bytes()).await.unwrap();
            assert_eq!((client.as_deref(), &rest[..]), (expected, &b"GET / HTTP/1.1\r\n"[..]), "{line}");
        }
    }

    #[tokio::test]
    async fn a_header_tells_the_client_and_its_additions_are_passed_over() {
        let v4 = [[192, 0, 2, 1], [198, 51, 100, 1], [0xdc, 0x04, 0x01, 0xbb]].concat();
        let v6 = [&Ipv6Addr::LOCALHOST.octets()[..], &[0; 16], &[0, 80, 0, 81]].concat();
        let with_additions = [&v4[..], &[0x20, 0, 3, 1, 2, 3]].concat();
        for (bytes, expected) in [
            (header(0x21, 0x11, &v4), Some("192.0.2.1:56324")),
            (header(0x21, 0x11, &with_additions), Some("192.0.2.1:56324")),
            (header(0x21, 0x21, &v6), Some("[::1]:80")),
            (header(0x20, 0x11, &v4), None),
            (header(0x20, 0x00, &[]), None),
            (header(0x21, 0x00, &[]), None),
            (header(0x21, 0x31, &[0; 216]), None),
        ] {
            let (client, rest) = client(&[&bytes[..], b"rest"].concat()).await.unwrap();
            assert_eq!((client.as_deref(), &rest[..]), (expected, &b"rest"[..]), "{bytes:?}");
        }
    }

    #[tokio::test]
    async fn what_is_malformed_is_refused() {
        for line in [
            "GET / HTTP/1.1\r\nhost: a\r\n\r\n",
            "PROXY TCP4 192.0.2.1 198.51.100.1 56324\r\n",
            "PROXY TCP4 192.0.2.1 198.51.100.1 56324 443 1\r\n",
            "PROXY TCP4 ::1 ::1 1 2\r\n",
            "PROXY TCP6 192.0.2.1 198.51.100.1 1 2\r\n",
            "PROXY TCP4 192.0.2.1 198.51.100.1 65536 443\r\n",
            "PROXY TCP4 192.0.2.1 198.51.100.1 +1 443\r\n",
            "PROXY UDP4 192.0.2.1 198.51.100.1 1 443\r\n",
            "PROXY  TCP4 192.0.2.1 198.51.100.1 1 2\r\n",
            "PROXY TCP4 192.0.2.1",
        ] {
            assert!(client(line.as_bytes()).await.is_err(), "{line}");
        }
        let endless = format!("PROXY UNKNOWN {}\r\n", "x".repeat(200));
        assert!(client(endless.as_bytes()).await.is_err());
        let v4 = [0; 12];
        for bytes in [
            header(0x11, 0x11, &v4),
            header(0x22, 0x11, &v4),
            header(0x21, 0x12, &v4),
            header(0x21, 0x11, &v4[..11]),
            header(0x21, 0x21, &[0; 35]),
            header(0x21, 0x11, &[0; 5000]),
        ] {
            assert!(client(&bytes).await.is_err(), "{bytes:?}");
        }
    }
}
