//! An HTTP service for the suite.

use callgate_core::Registry;
use callgate_rest::Rest;
use callgate_testkit::conformance::{Abilities, Fixture, Remote};

use crate::remote::Service;

/// A service that speaks HTTP/2 or HTTP/1.1.
pub(crate) struct Http<const HTTP2: bool> {
    service: Option<Service>,
    url: String,
}

impl<const HTTP2: bool> Fixture for Http<HTTP2> {
    fn registry() -> Registry {
        Registry::new().with::<Rest>()
    }

    fn abilities() -> Abilities {
        // A service's own 5xx is its reply, and passes as it is.
        Abilities { function_errors: false, ..Abilities::default() }
    }

    async fn start() -> Result<Option<Self>, String> {
        let service = Service::start("127.0.0.1:0", HTTP2).await.map_err(|error| error.to_string())?;
        let url = format!("http://{}", service.address());
        Ok(Some(Self { service: Some(service), url }))
    }

    fn upstream(&self) -> String {
        format!("{{rest: {{url: \"{}\", openapi: discover, http2: {HTTP2}}}}}", self.url)
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
        self.service = Some(Service::start(address, HTTP2).await.map_err(|error| error.to_string())?);
        Ok(())
    }
}
