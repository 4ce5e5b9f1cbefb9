//! The conformance suite against a SOAP service by spyne.

use std::process::ExitCode;

use callgate_core::Registry;
use callgate_testkit::{
    conformance::{self, Abilities, Fixture, Remote},
    peers::{SoapService, present},
};

/// The service, with an operation for each function of the suite.
struct Service {
    peer: SoapService,
}

impl Fixture for Service {
    fn registry() -> Registry {
        Registry::new().with::<callgate_soap::Soap>()
    }

    fn abilities() -> Abilities {
        Abilities {
            // An operation learns nothing of HTTP, and its values are text. Its failure is a fault, which has a code of
            // its own.
            describes: false,
            multi_value_headers: false,
            binary: false,
            function_errors: false,
            chooses_status: false,
            // The kit's large bodies are no text.
            largest_body: 1 << 19,
            ..Abilities::default()
        }
    }

    async fn start() -> Result<Option<Self>, String> {
        let Some(peer) = present(SoapService::start().await) else { return Ok(None) };
        Ok(Some(Self { peer }))
    }

    fn upstream(&self) -> String {
        let (user, password) = (SoapService::USER, SoapService::PASSWORD);
        format!(
            "{{soap: {{wsdl: \"{}?wsdl\", credentials: {{basic: {{user: {user}, password: {password}}}}}}}, functions: {{\
             mirror: {{operation: mirror, input: {{text: \"{{{{ text | default('') }}}}\"}}, \
             response: {{body: {{text: \"{{{{ body.mirrorResult | default('', true) }}}}\"}}}}}}, \
             large: {{operation: large, input: {{bytes: \"{{{{ query.bytes }}}}\"}}, \
             response: {{body: {{text: \"{{{{ body.largeResult }}}}\"}}}}}}, \
             slow: {{operation: slow, input: {{ms: \"{{{{ query.ms }}}}\"}}}}}}}}",
            self.peer.url11(),
        )
    }

    fn to(&self, remote: Remote) -> String {
        match remote {
            Remote::Mirror | Remote::Large | Remote::Slow => format!("remote/{}", remote.name()),
            Remote::Fail => "remote/boom".to_owned(),
            Remote::Describe | Remote::Status | Remote::Binary => "remote/whoami".to_owned(),
        }
    }

    fn secrets(&self) -> Vec<String> {
        vec![SoapService::PASSWORD.to_owned()]
    }

    fn typo() -> Option<(&'static str, &'static str)> {
        Some(("wsld", "wsdl"))
    }

    async fn kill(&mut self) {
        self.peer.kill();
    }

    async fn restart(&mut self) -> Result<(), String> {
        self.peer.restart().await.map_err(|error| error.to_string())
    }
}

fn main() -> ExitCode {
    conformance::run::<Service>()
}
