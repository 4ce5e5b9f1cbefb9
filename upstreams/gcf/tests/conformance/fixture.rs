//! HTTP functions for the suite, behind tokens of the stand-in for Google's token services.

use callgate_core::Registry;
use callgate_gcf::Gcf;
use callgate_testkit::{
    conformance::{Abilities, Fixture, Remote},
    peers::{Function, FunctionsFramework, GoogleTokens, PeerError, absent},
};

const SOURCE: &str = include_str!("main.py");

/// One process of the framework that serves all functions, as a Cloud Run service does.
pub(crate) struct Functions {
    framework: FunctionsFramework,
    tokens: GoogleTokens,
}

impl Fixture for Functions {
    fn registry() -> Registry {
        Registry::new().with::<Gcf>()
    }

    fn abilities() -> Abilities {
        Abilities::default()
    }

    async fn start() -> Result<Option<Self>, String> {
        let started = async {
            let tokens = GoogleTokens::start().await?;
            let function = Function::http(SOURCE, "serve").with("CERTIFICATES", &format!("{}/certs", tokens.url));
            // The slow calls of one trial must not hold up the next.
            let function = function.with("THREADS", "32");
            Ok(Self { framework: FunctionsFramework::start(function).await?, tokens })
        };
        match started.await {
            Ok(fixture) => Ok(Some(fixture)),
            Err(missing @ PeerError::Missing { .. }) => {
                absent(missing);
                Ok(None)
            }
            Err(error) => Err(error.to_string()),
        }
    }

    fn upstream(&self) -> String {
        let (url, file) = (self.framework.url(), self.tokens.credentials("service_account"));
        format!("{{gcf: {{url: \"{url}\", credentials: {{file: \"{}\"}}}}}}", file.display())
    }

    fn to(&self, remote: Remote) -> String {
        format!("remote/{}", remote.name())
    }

    fn secrets(&self) -> Vec<String> {
        let key = std::fs::read_to_string(self.tokens.credentials("service_account")).unwrap_or_default();
        // A line of the key: any part of it would be too much.
        key.split("\\n").nth(3).map(str::to_owned).into_iter().collect()
    }

    fn typo() -> Option<(&'static str, &'static str)> {
        Some(("ulr", "url"))
    }

    async fn kill(&mut self) {
        self.framework.kill();
    }

    async fn restart(&mut self) -> Result<(), String> {
        self.framework.restart().await.map_err(|error| error.to_string())
    }
}
