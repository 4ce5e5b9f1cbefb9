//! The conformance suite against a gRPC service by grpcio.

use std::process::ExitCode;

use callgate_core::Registry;
use callgate_testkit::{
    conformance::{self, Abilities, Fixture, Remote},
    peers::{GrpcService, present},
};

/// The service, with a method for each function of the suite.
struct Service {
    peer: GrpcService,
}

impl Fixture for Service {
    fn registry() -> Registry {
        Registry::new().with::<callgate_grpc::Grpc>()
    }

    fn abilities() -> Abilities {
        Abilities {
            // A method learns nothing of HTTP, and text of protobuf is no bytes. Its failure is a status, which has a
            // code of its own.
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
        let Some(peer) = present(GrpcService::start().await) else { return Ok(None) };
        Ok(Some(Self { peer }))
    }

    fn upstream(&self) -> String {
        format!(
            "{{grpc: {{url: \"{}\", reflection: true}}, functions: {{\
             mirror: {{method: shop.v1.Remote/Mirror, message: {{text: \"{{{{ text | default('') }}}}\"}}, \
             response: {{body: {{text: \"{{{{ body.text | default('', true) }}}}\"}}}}}}, \
             large: {{method: shop.v1.Remote/Large, \
             response: {{body: {{text: \"{{{{ body.text }}}}\"}}}}}}, \
             slow: {{method: shop.v1.Remote/Slow}}}}}}",
            self.peer.url(),
        )
    }

    fn to(&self, remote: Remote) -> String {
        match remote {
            Remote::Mirror | Remote::Large | Remote::Slow => format!("remote/{}", remote.name()),
            Remote::Fail => "remote/shop.v1.Shop/Fail".to_owned(),
            Remote::Describe | Remote::Status | Remote::Binary => "remote/shop.v1.Shop/Whoami".to_owned(),
        }
    }

    fn typo() -> Option<(&'static str, &'static str)> {
        Some(("ulr", "url"))
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
