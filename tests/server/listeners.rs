//! Where a server listens.

use std::{num::NonZero, os::unix::fs::FileTypeExt};

use callgate::{
    core::plan::{Address, Shutdown},
    server::{Limits, Readiness, Server},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::UnixStream,
};

use crate::gate::{Answers, Gate, listener};

fn start(address: Address) -> Result<Server, String> {
    let (answers, _) = Answers::new();
    let listeners = [listener("public", address)];
    Server::start(&listeners, NonZero::new(2), &Limits::default(), &Readiness::starting(), &answers)
        .map_err(|error| error.to_string())
}

#[tokio::test]
async fn a_port_in_use_names_the_listener_and_the_address() {
    let gate = Gate::start();
    let error = start(Address::Tcp(gate.address)).unwrap_err();
    assert_eq!(
        error,
        format!(
            "listener `public` can't listen on {}: the address is in use; stop what listens there, or choose another one",
            gate.address
        )
    );
}

#[tokio::test]
async fn a_file_that_is_no_socket_is_left_alone_and_said_to_be_one() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notes.txt");
    std::fs::write(&path, "keep").unwrap();
    let error = start(Address::Unix(path.clone())).unwrap_err();
    assert!(error.contains("notes.txt: the file is there already and is no socket"), "{error}");
    assert_eq!(std::fs::read(&path).unwrap(), b"keep");
}

#[tokio::test]
async fn an_address_of_another_machine_is_refused() {
    let error = start(Address::Tcp("192.0.2.1:0".parse().unwrap())).unwrap_err();
    assert!(error.contains("no network interface of this machine has the address"), "{error}");
}

#[tokio::test]
async fn every_listener_gets_a_port_of_its_own() {
    let (answers, _) = Answers::new();
    let any = || Address::Tcp("127.0.0.1:0".parse().unwrap());
    let listeners = [listener("a", any()), listener("b", any())];
    let server = Server::start(&listeners, None, &Limits::default(), &Readiness::starting(), &answers).unwrap();
    let [a, b] = server.addresses() else { panic!("{:?}", server.addresses()) };
    assert_eq!((&*a.listener, &*b.listener), ("a", "b"));
    assert_ne!(a.address, b.address);
}

#[tokio::test]
async fn a_unix_socket_serves_and_is_removed_at_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("gate.sock");
    let server = start(Address::Unix(path.clone())).unwrap();
    assert!(path.metadata().unwrap().file_type().is_socket());
    for _ in 0..4 {
        let mut stream = UnixStream::connect(&path).await.unwrap();
        stream.write_all(b"GET /u HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await.unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).await.unwrap();
        assert!(text.starts_with("HTTP/1.1 200 OK") && text.ends_with("GET /u 0"), "{text}");
    }
    assert!(start(Address::Unix(path.clone())).unwrap_err().contains("in use"));
    let shutdown = Shutdown { lame_duck: std::time::Duration::ZERO, grace: crate::gate::SOON };
    let drained = server
        .run(move || shutdown, async { callgate::server::Ending::Announced }, std::future::pending())
        .await
        .unwrap();
    assert_eq!(drained.cut, 0);
    assert!(!path.exists(), "the socket's file is left");
}
