//! ID tokens for the functions: where they come from, and how they are kept.
//!
//! One audience has one [`IdToken`], which all its functions share. A call takes the token that is held without waiting.
//! The first call within the last five minutes of its life has a new one fetched in the background; calls that find none
//! wait for the one fetch that is under way.

mod access;
mod address;
mod clock;
mod credentials;
mod environment;
mod error;
mod exchange;
mod federation;
mod held;
mod jwt;
mod metadata;
mod service_account;
mod source;

use std::{
    collections::HashMap,
    fmt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use callgate_core::{Context, Invalid, UpstreamError, chain};
use callgate_http::{HttpClient, HttpSettings};

pub(crate) use error::{CredentialsError, TokenError};
pub(crate) use held::IdToken;

use crate::{
    config::{Credentials, NamedCredentials},
    error::Unusable,
};
use clock::Clock;
use environment::Environment;
use held::Minter;

/// What is wrong with a file of credentials.
pub(crate) fn flaw_of(file: &Path) -> Option<Invalid> {
    credentials::read(file).err().map(|error| Invalid::new(chain(&error)))
}

/// The tokens of an upstream.
pub(crate) struct Tokens {
    minter: Arc<Minter>,
    by_audience: Mutex<HashMap<String, IdToken>>,
}

impl Tokens {
    /// Finds and reads the credentials; `None` when there are to be none. Nothing is asked for a token yet.
    ///
    /// # Errors
    /// A file that can't be read, or that gives no ID tokens.
    pub(crate) async fn load(credentials: &Credentials, context: &Context) -> Result<Option<Self>, UpstreamError> {
        let file = match credentials {
            Credentials::Named(NamedCredentials::None) => return Ok(None),
            Credentials::Named(NamedCredentials::ApplicationDefault) => None,
            Credentials::File(file) => Some(context.file(&file.file)),
        };
        Self::with(file, Environment::read(), Clock::system(), context).await.map(Some).map_err(|error| match error {
            Setup::Credentials(error) => Unusable::Credentials(error).into(),
            Setup::Client(error) => Unusable::Client(error).into(),
        })
    }

    async fn with(
        file: Option<PathBuf>,
        environment: Environment,
        clock: Clock,
        context: &Context,
    ) -> Result<Self, Setup> {
        let client = HttpClient::new(HttpSettings::default(), context)?;
        let read = move || match file {
            Some(file) => credentials::read(&file),
            None => environment.credentials(),
        };
        let source = context.blocking(read).await.map_err(|_| CredentialsError::Stopped)??;
        tracing::debug!(upstream = context.name(), source = %source, "The source of ID tokens is known.");
        let minter = Arc::new(Minter::new(source, client, clock, context.clone()));
        Ok(Self { minter, by_audience: Mutex::default() })
    }

    /// The token for an audience.
    pub(crate) fn for_audience(&self, audience: &str) -> IdToken {
        let mut tokens = self.by_audience.lock().unwrap_or_else(PoisonError::into_inner);
        let made = || IdToken::new(audience, Arc::clone(&self.minter));
        tokens.entry(audience.to_owned()).or_insert_with(made).clone()
    }

    /// The tokens of all audiences so far.
    pub(crate) fn all(&self) -> Vec<IdToken> {
        self.by_audience.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }
}

/// Why there are no tokens at all.
#[derive(Debug, thiserror::Error)]
enum Setup {
    #[error(transparent)]
    Credentials(#[from] CredentialsError),
    #[error(transparent)]
    Client(#[from] callgate_http::SetupError),
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tokens").field("source", &self.minter.source_name()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
