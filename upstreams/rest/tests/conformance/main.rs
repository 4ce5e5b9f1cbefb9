//! The conformance suite against an HTTP service.

mod remote;

use std::process::ExitCode;

use callgate_core::Registry;
use callgate_rest::Rest;
use callgate_testkit::conformance::{self, Abilities, Fixture, Remote};
use remote::Service;

struct Http {
    service: Option<Service>,
    url: String,
}

impl Fixture for Http {
    fn registry() -> Registry {
        Registry::new().with::<Rest>()
    }

    fn abilities() -> Abilities {
        // A service's own 5xx is its reply, and passes as it is.
        Abilities { function_errors: false, ..Abilities::default() }
    }

    async fn start() -> Result<Option<Self>, String> {
        let service = Service::start("127.0.0.1:0").await.map_err(|error| error.to_string())?;
        let url = format!("http://{}", service.address());
        Ok(Some(Self { service: Some(service), url }))
    }

    fn upstream(&self) -> String {
        format!("{{rest: {{url: \"{}\"}}}}", self.url)
    }

    fn to(&self, _remote: Remote) -> String {
        "remote".to_owned()
    }

    fn typo() -> Option<(&'static str, &'static str)> {
        Some(("ulr", "url"))
    }

    async fn kill(&mut self) {
        if let Some(service) = self.service.take() {
            service.stop().await;
        }
    }

    async fn restart(&mut self) -> Result<(), String> {
        let address = self.url.trim_start_matches("http://");
        self.service = Some(Service::start(address).await.map_err(|error| error.to_string())?);
        Ok(())
    }
}

fn main() -> ExitCode {
    conformance::run::<Http>()
}
