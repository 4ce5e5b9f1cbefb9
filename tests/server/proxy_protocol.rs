//! PROXY protocol, by bytes made by hand and by a real HAProxy.

use std::{net::SocketAddr, process::Command};

use callgate_testkit::peers::{Process, Received, Wire, absent, free_port};
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
};

use crate::{certificates::Authority, gate::SOON, running::Running};

const REQUEST: &str = "GET /e HTTP/1.1\r\nhost: a\r\nx-forwarded-for: 203.0.113.9\r\nconnection: close\r\n\r\n";

/// A gateway whose listener takes headers of these proxies.
async fn gateway(trusted: &str) -> (Running, SocketAddr) {
    let mut running = Running::start(&format!(
        "listeners: {{public: {{address: '127.0.0.1:0', trusted_proxies: [{trusted}], proxy_protocol: true}}}}\n\
         upstreams: {{e: {{echo: {{}}}}}}\nroutes: [{{match: /e, to: e}}]\n"
    ))
    .await;
    let address = running.address("public").await;
    (running, address)
}

async fn send(address: SocketAddr, header: &[u8], request: &str) -> Received {
    let mut wire = Wire::connect(address).await.unwrap();
    wire.send([header, request.as_bytes()].concat()).await.unwrap();
    wire.read_to_end(SOON).await
}

/// What the function was told of the client.
fn forwarded_for(received: &Received) -> String {
    let text = received.text();
    let (_, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{text}"));
    let echo: Value = serde_json::from_str(body).unwrap_or_else(|_| panic!("{text}"));
    let headers = echo["headers"].as_array().unwrap();
    let found = headers.iter().find(|pair| pair[0] == "x-forwarded-for").unwrap_or_else(|| panic!("{text}"));
    found[1].as_str().unwrap().to_owned()
}

/// Version 2 of TCP over IPv4, from 192.0.2.1:56324.
fn version_2(command: u8) -> Vec<u8> {
    let signature = b"\r\n\r\n\0\r\nQUIT\n";
    [&signature[..], &[command, 0x11, 0, 12], &[192, 0, 2, 1, 198, 51, 100, 1, 0xdc, 4, 1, 0xbb]].concat()
}

#[tokio::test]
async fn a_trusted_proxy_says_whose_the_connection_is() {
    let (_running, address) = gateway("127.0.0.0/8").await;
    for header in [b"PROXY TCP4 192.0.2.1 198.51.100.1 56324 443\r\n".to_vec(), version_2(0x21)] {
        let received = send(address, &header, REQUEST).await;
        // What the client itself claims is dropped.
        assert_eq!(forwarded_for(&received), "192.0.2.1");
    }
    let received = send(address, b"PROXY TCP6 2001:db8::1 ::1 1 2\r\n", REQUEST).await;
    assert_eq!(forwarded_for(&received), "2001:db8::1");
    for own in [b"PROXY UNKNOWN\r\n".to_vec(), version_2(0x20)] {
        // The connection is the proxy's own, and it is trusted.
        assert_eq!(forwarded_for(&send(address, &own, REQUEST).await), "203.0.113.9, 127.0.0.1");
    }
}

#[tokio::test]
async fn a_trusted_proxy_without_the_header_is_closed() {
    let (_running, address) = gateway("127.0.0.0/8").await;
    for header in ["", "PROXY TCP4 192.0.2.1 198.51.100.1 56324\r\n", "PROXY UDP4 1.1.1.1 1.1.1.1 1 1\r\n"] {
        let received = send(address, header.as_bytes(), REQUEST).await;
        assert!(received.closed && received.bytes.is_empty(), "{header}: {}", received.text());
    }
}

#[tokio::test]
async fn the_header_stands_in_front_of_tls() {
    let authority = Authority::new();
    let (server, client) = (authority.sign("server", &["a.test"]), authority.sign("billing", &["b.test"]));
    let files = [("a.pem", &*server.pem), ("a.key", &server.key_pem), ("ca.pem", authority.pem())];
    let yaml = "listeners: {public: {address: '127.0.0.1:0', trusted_proxies: [127.0.0.0/8], proxy_protocol: true,\n  \
                tls: {certificate: a.pem, private_key: a.key, client_ca: ca.pem}}}\nupstreams: {e: {echo: {}}}\n\
                routes: [{match: /e, to: e, auth: {mtls: {common_name: billing}}}]\n";
    let mut running = Running::start_with(yaml, &files).await;
    let address = running.address("public").await;
    let headers = [b"PROXY TCP4 192.0.2.1 198.51.100.1 56324 443\r\n".to_vec(), version_2(0x21)];
    for header in headers {
        let mut tcp = TcpStream::connect(address).await.unwrap();
        tcp.write_all(&header).await.unwrap();
        let mut tls = authority.over(tcp, "a.test", Some(&client), rustls::ALL_VERSIONS).await.unwrap();
        tls.write_all(REQUEST.as_bytes()).await.unwrap();
        let mut bytes = Vec::new();
        tls.read_to_end(&mut bytes).await.unwrap();
        let received = Received { bytes, closed: true };
        assert_eq!(received.statuses(), [200], "{}", received.text());
        assert_eq!(forwarded_for(&received), "192.0.2.1");
    }
    let without = authority.connect(address, "a.test", Some(&client), rustls::ALL_VERSIONS).await;
    assert!(without.is_err(), "a handshake without the header");
}

#[tokio::test]
async fn nobody_else_is_believed() {
    let (_running, address) = gateway("10.0.0.0/8").await;
    assert_eq!(forwarded_for(&send(address, b"", REQUEST).await), "127.0.0.1");
    let received = send(address, b"PROXY TCP4 192.0.2.1 198.51.100.1 56324 443\r\n", REQUEST).await;
    assert_eq!(received.statuses(), [400], "{}", received.text());
}

#[tokio::test]
async fn a_header_that_does_not_come_keeps_no_connection() {
    let (_running, address) = gateway("127.0.0.0/8").await;
    let mut silent = Wire::connect(address).await.unwrap();
    silent.send("PROXY TCP4 192.0.2.1").await.unwrap();
    let received = silent.read_to_end(SOON).await;
    assert!(received.closed && received.bytes.is_empty());
}

#[tokio::test]
async fn a_real_haproxy_is_understood_in_both_versions() {
    if Command::new("haproxy").arg("-v").output().is_err() {
        return absent("haproxy is not installed");
    }
    let (_running, address) = gateway("127.0.0.1").await;
    for send in ["send-proxy", "send-proxy-v2"] {
        let port = free_port().unwrap();
        let folder = Process::folder("haproxy").unwrap();
        let config = format!(
            "defaults\n  mode tcp\n  timeout connect 10s\n  timeout client 30s\n  timeout server 30s\n\
             listen front\n  bind 127.0.0.1:{port}\n  server gateway {address} {send}\n"
        );
        std::fs::write(folder.path().join("haproxy.cfg"), config).unwrap();
        let mut command = Command::new("haproxy");
        command.args(["-db", "-f", "haproxy.cfg"]);
        let mut haproxy = Process::spawn("haproxy", command, folder).unwrap();
        haproxy.wait_for_port(port).await.unwrap();
        // A client that is none of the proxies, though on the same machine.
        let client = TcpSocket::new_v4().unwrap();
        client.bind(([127, 0, 0, 2], 0).into()).unwrap();
        let mut stream = client.connect(([127, 0, 0, 1], port).into()).await.unwrap();
        stream.write_all(REQUEST.as_bytes()).await.unwrap();
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).await.unwrap();
        assert_eq!(forwarded_for(&Received { bytes, closed: true }), "127.0.0.2", "{send}");
    }
}
