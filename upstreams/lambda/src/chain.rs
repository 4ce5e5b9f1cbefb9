//! Where credentials come from: fixed ones, or the chain of aws-config, and roles assumed on top.

use aws_config::{
    BehaviorVersion, Region, profile::ProfileFileCredentialsProvider, provider_config::ProviderConfig,
    sts::AssumeRoleProvider,
};
use aws_credential_types::{Credentials, provider::SharedCredentialsProvider};
use aws_smithy_http_client::{
    Builder, Connector,
    proxy::{ProxyConfig, ProxyError},
    tls,
};
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use callgate_core::{ErrorKind, Secret, UpstreamError};
use callgate_http::ProxySettings;

use crate::config::{AssumeRole, Config};

/// What is asked on the machine itself, and never through a proxy.
const LOCAL: &str = "localhost,127.0.0.1,::1,169.254.169.254,fd00:ec2::254,169.254.170.2,169.254.170.23,fd00:ec2::23";

/// A chain of providers that is set up on first use, in the background, because setting it up reads files.
#[derive(Debug)]
pub(crate) struct Chain {
    fixed: Option<Credentials>,
    profile: Option<String>,
    region: String,
    assume_role: Option<AssumeRole>,
    client: SharedHttpClient,
}

impl Chain {
    /// # Errors
    /// A proxy that can't be used.
    pub(crate) fn new(config: &Config, region: &str) -> Result<Self, UpstreamError> {
        let unfit = |error| UpstreamError::new(ErrorKind::Denied, "the proxy can't be used").with_source(error);
        Ok(Self {
            fixed: config.credentials.fixed(),
            profile: config.credentials.profile.clone(),
            region: region.to_owned(),
            assume_role: config.assume_role.clone(),
            client: client(config.proxy.as_ref()).map_err(unfit)?,
        })
    }

    /// The credentials, where they are written in the configuration and nothing has to be asked for.
    pub(crate) fn fixed(&self) -> Option<&Credentials> {
        self.fixed.as_ref().filter(|_| self.assume_role.is_none())
    }

    /// Where the credentials come from, for messages.
    pub(crate) fn source(&self) -> String {
        let base = match (&self.fixed, &self.profile) {
            (Some(_), _) => "the configured access key".to_owned(),
            (None, Some(profile)) => format!("the profile `{profile}`"),
            (None, None) => "the environment, the AWS profile, web identity, ECS or EKS, and the instance".to_owned(),
        };
        match &self.assume_role {
            Some(roles) => roles.arn.iter().fold(base, |from, role| format!("the role {role} by way of {from}")),
            None => base,
        }
    }

    /// Builds the providers. None of them is asked yet.
    pub(crate) async fn provider(&self) -> SharedCredentialsProvider {
        let region = Region::new(self.region.clone());
        let client = self.client.clone();
        let base = match (&self.fixed, &self.profile) {
            (Some(credentials), _) => SharedCredentialsProvider::new(credentials.clone()),
            (None, Some(profile)) => {
                let surroundings =
                    ProviderConfig::without_region().with_region(Some(region.clone())).with_http_client(client.clone());
                let provider =
                    ProfileFileCredentialsProvider::builder().configure(&surroundings).profile_name(profile).build();
                SharedCredentialsProvider::new(provider)
            }
            (None, None) => {
                let surroundings =
                    ProviderConfig::without_region().with_region(Some(region.clone())).with_http_client(client.clone());
                let provider = aws_config::default_provider::credentials::DefaultCredentialsChain::builder()
                    .configure(surroundings)
                    .region(region.clone())
                    .build()
                    .await;
                SharedCredentialsProvider::new(provider)
            }
        };
        match &self.assume_role {
            Some(role) => assume(role, base, region, client).await,
            None => base,
        }
    }
}

/// Puts one provider on top of the other: each role is assumed with the credentials of the one before.
async fn assume(
    settings: &AssumeRole,
    base: SharedCredentialsProvider,
    region: Region,
    client: SharedHttpClient,
) -> SharedCredentialsProvider {
    let mut loader =
        aws_config::defaults(BehaviorVersion::latest()).region(region).http_client(client).no_credentials();
    if let Some(endpoint) = &settings.endpoint {
        loader = loader.endpoint_url(endpoint);
    }
    let surroundings = loader.load().await;
    let mut provider = base;
    for role in settings.arn.iter() {
        let mut builder = AssumeRoleProvider::builder(role)
            .configure(&surroundings)
            .session_name(settings.session_name.as_deref().unwrap_or("callgate"));
        if let Some(id) = &settings.external_id {
            builder = builder.external_id(&**id);
        }
        provider = SharedCredentialsProvider::new(builder.build_from_provider(provider).await);
    }
    provider
}

fn client(proxy: Option<&ProxySettings>) -> Result<SharedHttpClient, ProxyError> {
    let provider = tls::Provider::Rustls(tls::rustls_provider::CryptoMode::AwsLc);
    let Some(ProxySettings { url, user, password }) = proxy else {
        return Ok(Builder::new().tls_provider(provider).build_https());
    };
    let mut proxy = ProxyConfig::all(url.as_str())?.no_proxy(LOCAL);
    if let Some(user) = user {
        proxy = proxy.with_basic_auth(&**user, password.as_ref().map_or("", Secret::expose));
    }
    Ok(Builder::new().build_with_connector_fn(move |settings, components| {
        let mut builder = Connector::builder().proxy_config(proxy.clone());
        builder.set_connector_settings(settings.cloned());
        builder.set_sleep_impl(components.and_then(|components| components.sleep_impl()));
        builder.tls_provider(provider.clone()).build()
    }))
}
