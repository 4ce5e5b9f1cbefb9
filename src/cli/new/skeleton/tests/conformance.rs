//! The conformance suite against a stand-in of the remote. Replace it by the real one as soon as you can: what a stand-in
//! shows is what its author thinks of the remote.

use std::{net::SocketAddr, process::ExitCode};

use base64::{Engine, engine::general_purpose::STANDARD};
use callgate_core::Registry;
use callgate_skeleton::Skeleton;
use callgate_testkit::conformance::{self, Abilities, Fixture, Remote, remote_function};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

const TOKEN: &str = "hush-hush";

/// The remote, with the functions of the suite.
struct StandIn {
    address: SocketAddr,
    serving: JoinSet<()>,
}

impl StandIn {
    async fn listen(&mut self) -> Result<(), String> {
        let listener = TcpListener::bind(self.address).await.map_err(|error| error.to_string())?;
        self.address = listener.local_addr().map_err(|error| error.to_string())?;
        self.serving.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                connections.spawn(serve(stream));
                while connections.try_join_next().is_some() {}
            }
        });
        Ok(())
    }
}

/// Answers the one line of a connection.
async fn serve(mut stream: TcpStream) -> Option<()> {
    let mut line = Vec::new();
    stream.read_to_end(&mut line).await.ok()?;
    let call: Value = serde_json::from_slice(&line).ok()?;
    let reply = if call["token"] != TOKEN {
        json!({"error": "the token is wrong"})
    } else if call["list"] == true {
        json!({"functions": Remote::ALL.map(Remote::name)})
    } else if call["function"] == "fail" {
        json!({"error": "it was asked to fail"})
    } else {
        let reply = remote_function(&call).await;
        json!({
            "status": reply.status.unwrap_or(200),
            "headers": {"content-type": [reply.content_type]},
            "body": STANDARD.encode(reply.body),
            "is_base64": true,
        })
    };
    stream.write_all(reply.to_string().as_bytes()).await.ok()
}

impl Fixture for StandIn {
    fn registry() -> Registry {
        Registry::new().with::<Skeleton>()
    }

    /// What your remote can't do goes here: trials that need it are shown as ignored.
    fn abilities() -> Abilities {
        Abilities::default()
    }

    async fn start() -> Result<Option<Self>, String> {
        let mut remote = Self { address: SocketAddr::from(([127, 0, 0, 1], 0)), serving: JoinSet::new() };
        remote.listen().await?;
        Ok(Some(remote))
    }

    fn upstream(&self) -> String {
        format!("{{skeleton: {{address: \"{}\", token: {TOKEN}}}}}", self.address)
    }

    fn to(&self, remote: Remote) -> String {
        format!("remote/{}", remote.name())
    }

    fn secrets(&self) -> Vec<String> {
        vec![TOKEN.to_owned()]
    }

    fn typo() -> Option<(&'static str, &'static str)> {
        Some(("adress", "address"))
    }

    async fn kill(&mut self) {
        self.serving.shutdown().await;
    }

    async fn restart(&mut self) -> Result<(), String> {
        self.listen().await
    }
}

fn main() -> ExitCode {
    conformance::run::<StandIn>()
}
