//! Tokens of Microsoft Entra: who is asked for them, and how.
//!
//! Three requests of a few lines each, over the client that all kinds share. The Azure identity crates (azure_core 1.1,
//! azure_identity 1.0) were looked at and left out. They bring no second TLS provider, but their cache holds all calls up
//! while it renews, fails calls within a token's last five minutes when renewing fails, and reads the wall clock, which no
//! test can move; they take an authority over TLS alone and the metadata service at its fixed address; they read files on
//! threads of their own; and they need async-trait, which the tree does without.

mod question;
mod reply;

use std::{path::PathBuf, time::SystemTime};

use callgate_core::{Body, Context, Lease, Secret, UpstreamError};
use callgate_http::{Endpoint, HttpClient};
use http::{HeaderValue, Request, Uri};

use crate::{
    error::{NoToken, Unusable},
    identity::{Entra, is_safe, is_tenant},
};
use question::Proof;

/// The most bytes of an answer.
const LONGEST: u64 = 64 * 1024;

const AUTHORITY: &str = "https://login.microsoftonline.com";
const METADATA: &str = "http://169.254.169.254";

/// Where tokens for one audience come from.
#[derive(Debug)]
pub(crate) struct Source {
    context: Context,
    client: HttpClient,
    endpoint: Endpoint,
    resource: String,
    way: Way,
}

#[derive(Debug)]
enum Way {
    /// App Service, Functions and Container Apps: the path is the environment's, to the letter.
    AppService {
        path: String,
        header: HeaderValue,
        client_id: Option<String>,
    },
    Metadata {
        client_id: Option<String>,
    },
    Secret {
        tenant: String,
        client_id: String,
        secret: Secret,
    },
    Federated {
        tenant: String,
        client_id: String,
        file: PathBuf,
    },
}

impl Source {
    /// Finds out who is to be asked; `variable` reads the environment. Nothing is asked yet.
    pub(crate) fn new(
        entra: &Entra,
        variable: impl Fn(&str) -> Option<String>,
        context: &Context,
    ) -> Result<Self, Unusable> {
        let (address, way) = way(entra, &variable, context)?;
        let endpoint = Endpoint::parse(&address).map_err(|error| Unusable::Authority(address.clone(), error))?;
        if matches!(way, Way::Secret { .. } | Way::Federated { .. }) && !is_safe(&endpoint) {
            return Err(Unusable::Plain(address));
        }
        let client = HttpClient::new(entra.http(), context)?;
        Ok(Self { context: context.clone(), client, endpoint, resource: entra.resource().to_owned(), way })
    }

    /// Who is asked, for the log.
    pub(crate) fn place(&self) -> String {
        match &self.way {
            Way::AppService { .. } => format!("App Service at {}", self.endpoint),
            Way::Metadata { .. } => format!("the instance metadata service at {}", self.endpoint),
            Way::Secret { .. } | Way::Federated { .. } => format!("Microsoft Entra at {}", self.endpoint),
        }
    }

    /// Asks for a token.
    pub(crate) async fn ask(&self) -> Result<Lease<HeaderValue>, UpstreamError> {
        Ok(self.token().await?)
    }

    async fn token(&self) -> Result<Lease<HeaderValue>, NoToken> {
        let request = self.request().await?;
        let sent = Box::pin(self.client.send(&self.endpoint, request)).await;
        let (head, body) = sent.map_err(NoToken::Unreachable)?.into_parts();
        let body = body.collect(LONGEST).await.map_err(|error| NoToken::Cut(callgate_core::chain(&error)))?;
        reply::read(head.status, &head.headers, &body, SystemTime::now())
    }

    async fn request(&self) -> Result<Request<Body>, NoToken> {
        let (base, resource) = (self.endpoint.base_path(), self.resource.as_str());
        let request = match &self.way {
            Way::AppService { path, header, client_id } => {
                question::app_service(path, header, resource, client_id.as_deref())
            }
            Way::Metadata { client_id } => question::imds(base, resource, client_id.as_deref()),
            Way::Secret { tenant, client_id, secret } => {
                question::entra(base, tenant, client_id, resource, &Proof::Secret(secret))
            }
            Way::Federated { tenant, client_id, file } => {
                let assertion = self.assertion(file).await?;
                question::entra(base, tenant, client_id, resource, &Proof::Assertion(assertion.expose()))
            }
        };
        request.map_err(|error| NoToken::Malformed(format!("its address makes no request: {error}")))
    }

    /// The service account's token. Kubernetes replaces the file, so it is read each time.
    async fn assertion(&self, file: &std::path::Path) -> Result<Secret, NoToken> {
        let path = file.to_owned();
        let read = self.context.blocking(move || std::fs::read_to_string(path)).await.map_err(|_| NoToken::Stopped)?;
        let text = read.map_err(|error| NoToken::File(file.to_owned(), error))?;
        Ok(Secret::new(text.trim()))
    }
}

/// The address to ask, and the way to do it.
fn way(
    entra: &Entra,
    variable: &impl Fn(&str) -> Option<String>,
    context: &Context,
) -> Result<(String, Way), Unusable> {
    let authority =
        || entra.authority.clone().or_else(|| variable("AZURE_AUTHORITY_HOST")).unwrap_or_else(|| AUTHORITY.to_owned());
    if let Some(secret) = &entra.client_secret {
        let way = Way::Secret {
            tenant: tenant(secret.tenant_id.to_string())?,
            client_id: secret.client_id.to_string(),
            secret: secret.secret.clone(),
        };
        return Ok((authority(), way));
    }
    if let Some(identity) = &entra.workload_identity {
        let written = identity.written();
        let or_variable = |written: Option<String>, field: &'static str, name: &'static str| {
            written.or_else(|| variable(name)).ok_or(Unusable::Unset(field, name))
        };
        let text = |text: Option<callgate_core::document::Text>| text.map(|text| text.to_string());
        let file = match written.token_file {
            Some(file) => context.live_file(file),
            None => or_variable(None, "token_file", "AZURE_FEDERATED_TOKEN_FILE")?.into(),
        };
        let way = Way::Federated {
            tenant: tenant(or_variable(text(written.tenant_id), "tenant_id", "AZURE_TENANT_ID")?)?,
            client_id: or_variable(text(written.client_id), "client_id", "AZURE_CLIENT_ID")?,
            file,
        };
        return Ok((authority(), way));
    }
    let client_id = entra.managed_identity.as_ref().and_then(|identity| identity.client_id()).map(str::to_owned);
    managed(entra, variable, client_id)
}

/// Which platform's identity service is there, told as Azure's own libraries tell it.
fn managed(
    entra: &Entra,
    variable: &impl Fn(&str) -> Option<String>,
    client_id: Option<String>,
) -> Result<(String, Way), Unusable> {
    match (variable("IDENTITY_ENDPOINT"), variable("IDENTITY_HEADER")) {
        (Some(_), Some(_)) if variable("IDENTITY_SERVER_THUMBPRINT").is_some() => {
            Err(Unusable::Platform("Service Fabric"))
        }
        (Some(endpoint), Some(header)) => {
            let mut header = HeaderValue::try_from(header).map_err(|_| Unusable::Header)?;
            header.set_sensitive(true);
            let (address, path) = split(&endpoint);
            Ok((address, Way::AppService { path, header, client_id }))
        }
        (Some(_), None) if variable("IMDS_ENDPOINT").is_some() => Err(Unusable::Platform("Azure Arc")),
        _ => {
            let address = entra.authority.clone().or_else(|| variable("AZURE_POD_IDENTITY_AUTHORITY_HOST"));
            Ok((address.unwrap_or_else(|| METADATA.to_owned()), Way::Metadata { client_id }))
        }
    }
}

/// Scheme and authority, and the path and query as they are: App Service's path ends with a slash.
fn split(url: &str) -> (String, String) {
    let parsed = url.parse::<Uri>().ok();
    match parsed.as_ref().and_then(|uri| Some((uri.scheme_str()?, uri.authority()?, uri.path_and_query()?))) {
        Some((scheme, authority, path)) => (format!("{scheme}://{authority}"), path.to_string()),
        // Its reader says what is wrong with it.
        None => (url.to_owned(), String::new()),
    }
}

fn tenant(text: String) -> Result<String, Unusable> {
    if is_tenant(&text) { Ok(text) } else { Err(Unusable::Tenant(text)) }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use serde_json::json;
    use tokio::runtime::Handle;

    use super::*;

    fn source(entra: serde_json::Value, variables: &[(&str, &str)]) -> Result<Source, Unusable> {
        let entra: Entra = serde_json::from_value(entra).unwrap();
        let variable =
            |name: &str| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
        Source::new(&entra, variable, &Context::new("test", Path::new("/etc/gate"), Handle::current()))
    }

    fn managed() -> serde_json::Value {
        json!({"audience": "api://a", "managed_identity": true})
    }

    #[tokio::test]
    async fn app_service_announces_itself_by_the_environment() {
        let variables = [("IDENTITY_ENDPOINT", "http://127.0.0.1:41741/MSI/token/"), ("IDENTITY_HEADER", "hush")];
        let source = source(managed(), &variables).unwrap();
        assert_eq!(source.endpoint.to_string(), "http://127.0.0.1:41741");
        let request = source.request().await.unwrap();
        assert_eq!(request.uri().path(), "/MSI/token/");
        assert_eq!(request.headers()["x-identity-header"], "hush");
        assert!(!format!("{source:?} {request:?}").contains("hush"));
    }

    #[tokio::test]
    async fn elsewhere_the_metadata_service_is_asked_where_it_is_known_to_be() {
        let place = |entra, variables: &[_]| source(entra, variables).unwrap().endpoint.to_string();
        assert_eq!(place(managed(), &[]), "http://169.254.169.254");
        assert_eq!(place(managed(), &[("IDENTITY_HEADER", "alone")]), "http://169.254.169.254");
        assert_eq!(
            place(managed(), &[("AZURE_POD_IDENTITY_AUTHORITY_HOST", "http://10.0.0.1:8080")]),
            "http://10.0.0.1:8080"
        );
        let overridden = json!({"audience": "a", "managed_identity": true, "authority": "http://10.0.0.2"});
        assert_eq!(place(overridden, &[("AZURE_POD_IDENTITY_AUTHORITY_HOST", "http://10.0.0.1")]), "http://10.0.0.2");
    }

    #[tokio::test]
    async fn platforms_that_need_more_are_refused() {
        let fabric =
            [("IDENTITY_ENDPOINT", "https://x"), ("IDENTITY_HEADER", "h"), ("IDENTITY_SERVER_THUMBPRINT", "t")];
        assert!(matches!(source(managed(), &fabric), Err(Unusable::Platform("Service Fabric"))));
        let arc = [("IDENTITY_ENDPOINT", "http://x"), ("IMDS_ENDPOINT", "http://y")];
        assert!(matches!(source(managed(), &arc), Err(Unusable::Platform("Azure Arc"))));
        let wrong = [("IDENTITY_ENDPOINT", "nowhere"), ("IDENTITY_HEADER", "h")];
        assert!(matches!(source(managed(), &wrong), Err(Unusable::Authority(..))));
    }

    #[tokio::test]
    async fn a_workload_identity_is_the_environments_unless_it_is_written() {
        let variables = [
            ("AZURE_TENANT_ID", "t-1"),
            ("AZURE_CLIENT_ID", "c-1"),
            ("AZURE_FEDERATED_TOKEN_FILE", "/var/run/token"),
            ("AZURE_AUTHORITY_HOST", "https://login.microsoftonline.us/"),
        ];
        let found = source(json!({"audience": "a", "workload_identity": true}), &variables).unwrap();
        assert_eq!(found.endpoint.to_string(), "https://login.microsoftonline.us");
        assert!(matches!(&found.way, Way::Federated { tenant, client_id, file }
            if tenant == "t-1" && client_id == "c-1" && file == Path::new("/var/run/token")));
        let written = json!({"tenant_id": "t-2", "client_id": "c-2", "token_file": "token"});
        let entra = json!({"audience": "a", "workload_identity": written, "authority": "https://login.example.com"});
        let found = source(entra, &variables).unwrap();
        assert_eq!(found.endpoint.to_string(), "https://login.example.com");
        assert!(matches!(&found.way, Way::Federated { tenant, client_id, file }
            if tenant == "t-2" && client_id == "c-2" && file == Path::new("/etc/gate/token")));
        let unset = source(json!({"audience": "a", "workload_identity": true}), &variables[..2]).unwrap_err();
        assert!(unset.to_string().contains("AZURE_FEDERATED_TOKEN_FILE"), "{unset}");
    }

    #[tokio::test]
    async fn a_secret_never_goes_over_plain_http_whoever_names_the_authority() {
        let secret = json!({"audience": "a", "client_secret": {"tenant_id": "t", "client_id": "c", "secret": "hush"}});
        let found = source(secret.clone(), &[]).unwrap();
        assert_eq!(found.endpoint.to_string(), AUTHORITY);
        assert!(!format!("{found:?}").contains("hush"));
        let plain = source(secret, &[("AZURE_AUTHORITY_HOST", "http://login.example.com")]);
        assert!(matches!(plain, Err(Unusable::Plain(_))));
    }
}
