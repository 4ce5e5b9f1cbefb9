//! The conformance suite against the stand-in of the Functions host, with functions of the real SDK.

use std::{path::Path, process::ExitCode};

use callgate_azure::Azure;
use callgate_core::Registry;
use callgate_testkit::{
    conformance::{self, Abilities, Fixture, Remote},
    peers::{AzureHost, PeerError, absent},
};

struct App(AzureHost);

impl Fixture for App {
    fn registry() -> Registry {
        Registry::new().with::<Azure>()
    }

    fn abilities() -> Abilities {
        // An unhandled exception is an empty 500, as a function may send one itself.
        Abilities { function_errors: false, ..Abilities::default() }
    }

    async fn start() -> Result<Option<Self>, String> {
        let functions = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/conformance/functions.py");
        match AzureHost::with_app(&functions).await {
            Ok(host) => Ok(Some(Self(host))),
            Err(missing @ PeerError::Missing { .. }) => {
                absent(missing);
                Ok(None)
            }
            Err(error) => Err(error.to_string()),
        }
    }

    fn upstream(&self) -> String {
        format!("{{azure: {{url: \"{}\", credentials: {{host_key: \"{}\"}}}}}}", self.0.url, AzureHost::HOST_KEY)
    }

    fn to(&self, remote: Remote) -> String {
        format!("remote/{}", remote.name())
    }

    fn secrets(&self) -> Vec<String> {
        vec![AzureHost::HOST_KEY.to_owned()]
    }

    fn typo() -> Option<(&'static str, &'static str)> {
        Some(("ulr", "url"))
    }

    async fn kill(&mut self) {
        self.0.kill();
    }

    async fn restart(&mut self) -> Result<(), String> {
        self.0.restart().await.map_err(|error| error.to_string())
    }
}

fn main() -> ExitCode {
    conformance::run::<App>()
}
