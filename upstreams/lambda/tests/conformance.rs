//! The conformance suite against MiniStack. The remote is killed and comes back by a proxy before it: MiniStack itself
//! would forget its functions.

#[path = "conformance/relay.rs"]
mod relay;

use std::{net::SocketAddr, process::ExitCode};

use callgate_core::Registry;
use callgate_lambda::Lambda;
use callgate_testkit::{
    conformance::{self, Abilities, Fixture, Remote},
    peers::{AwsPeer, Fault, FaultProxy, MiniStack, PeerError, absent},
};
use relay::Relay;
use tokio::runtime::Handle;

struct Aws {
    peer: AwsPeer,
    proxy: FaultProxy,
    _relay: Relay,
}

impl Fixture for Aws {
    fn registry() -> Registry {
        Registry::new().with::<Lambda>()
    }

    fn abilities() -> Abilities {
        Abilities::default()
    }

    async fn start() -> Result<Option<Self>, String> {
        // The launcher's futures are bound to a thread.
        let runtime = Handle::current();
        let started = tokio::task::spawn_blocking(move || runtime.block_on(start()));
        started.await.map_err(|error| error.to_string())?
    }

    fn upstream(&self) -> String {
        let AwsPeer { region, access_key_id, secret_access_key, .. } = &self.peer;
        let endpoint = self.proxy.address();
        format!(
            "{{lambda: {{region: {region}, endpoint: \"http://{endpoint}\", credentials: \
             {{access_key_id: \"{access_key_id}\", secret_access_key: \"{secret_access_key}\"}}}}}}"
        )
    }

    fn to(&self, _remote: Remote) -> String {
        "remote/suite".to_owned()
    }

    fn secrets(&self) -> Vec<String> {
        vec![self.peer.secret_access_key.clone()]
    }

    fn typo() -> Option<(&'static str, &'static str)> {
        Some(("regoin", "region"))
    }

    async fn kill(&mut self) {
        self.proxy.set(Fault::Refuse);
    }

    async fn restart(&mut self) -> Result<(), String> {
        self.proxy.set(Fault::None);
        Ok(())
    }
}

async fn start() -> Result<Option<Aws>, String> {
    let peer = match MiniStack::start().await {
        Ok(peer) => peer,
        Err(missing @ PeerError::Missing { .. }) => {
            absent(missing);
            return Ok(None);
        }
        Err(error) => return Err(error.to_string()),
    };
    let create = peer.create_function("suite", include_str!("conformance/function.py"), "python3.11");
    create.await.map_err(|error| error.to_string())?;
    let address = peer.endpoint.trim_start_matches("http://").parse::<SocketAddr>();
    let address = address.map_err(|error| format!("{}: {error}", peer.endpoint))?;
    let relay = Relay::start(address).await.map_err(|error| error.to_string())?;
    let proxy = FaultProxy::start(relay.address()).await.map_err(|error| error.to_string())?;
    Ok(Some(Aws { peer, proxy, _relay: relay }))
}

fn main() -> ExitCode {
    conformance::run::<Aws>()
}
