//! The conformance suite against a stand-in of OpenFaaS's gateway.

use std::{net::SocketAddr, process::ExitCode};

use callgate_core::Registry;
use callgate_testkit::{
    conformance::{self, Abilities, Fixture, Remote},
    peers,
};

/// A gateway with the functions of the suite.
struct Faas {
    gateway: Option<peers::OpenFaas>,
    address: SocketAddr,
}

impl Fixture for Faas {
    fn registry() -> Registry {
        Registry::new().with::<callgate_openfaas::OpenFaas>()
    }

    fn abilities() -> Abilities {
        // A status that the function chose, or its watchdog for it, passes as it is.
        Abilities { function_errors: false, ..Abilities::default() }
    }

    async fn start() -> Result<Option<Self>, String> {
        let gateway = peers::OpenFaas::start().await.map_err(|error| error.to_string())?;
        let address = gateway.address();
        Ok(Some(Self { gateway: Some(gateway), address }))
    }

    fn upstream(&self) -> String {
        let (user, password) = (peers::OpenFaas::USER, peers::OpenFaas::PASSWORD);
        format!(
            "{{openfaas: {{url: \"http://{}\", credentials: {{basic: {{user: {user}, password: {password}}}}}}}}}",
            self.address
        )
    }

    fn to(&self, remote: Remote) -> String {
        format!("remote/{}", remote.name())
    }

    fn secrets(&self) -> Vec<String> {
        vec![peers::OpenFaas::PASSWORD.to_owned()]
    }

    fn typo() -> Option<(&'static str, &'static str)> {
        Some(("ulr", "url"))
    }

    async fn kill(&mut self) {
        if let Some(gateway) = self.gateway.take() {
            gateway.stop().await;
        }
    }

    async fn restart(&mut self) -> Result<(), String> {
        let gateway = peers::OpenFaas::start_at(self.address).await.map_err(|error| error.to_string())?;
        self.gateway = Some(gateway);
        Ok(())
    }
}

fn main() -> ExitCode {
    conformance::run::<Faas>()
}
