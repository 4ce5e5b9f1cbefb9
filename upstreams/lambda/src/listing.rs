//! Which functions there are: ListFunctions and ListAliases, page by page.

use std::{sync::PoisonError, time::Duration};

use callgate_core::{Discovered, ErrorKind, UpstreamError};
use serde::{Deserialize, de::DeserializeOwned};

use crate::{
    Lambda,
    address::Address,
    error::{self, About},
    request,
};

/// The most bytes of one page; fifty functions with all their settings are far less.
const MAX_PAGE: u64 = 16 << 20;
/// Up to so many functions, the aliases of all are asked for, which is a question for each; beyond, only those of the
/// functions that routes name with an alias. Lambda takes 15 such questions a second.
const MANY: usize = 200;
/// How often a page that is throttled is asked for again.
const TRIES: u32 = 5;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Functions {
    functions: Vec<FunctionEntry>,
    next_marker: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct FunctionEntry {
    function_name: String,
    #[serde(default)]
    runtime: Option<String>,
    #[serde(default)]
    description: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Aliases {
    aliases: Vec<AliasEntry>,
    next_marker: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct AliasEntry {
    name: String,
    function_version: String,
}

/// An answer that comes in pages.
trait Page: DeserializeOwned {
    type Entry;

    fn turn(self) -> (Vec<Self::Entry>, Option<String>);
}

impl Page for Functions {
    type Entry = FunctionEntry;

    fn turn(self) -> (Vec<FunctionEntry>, Option<String>) {
        (self.functions, self.next_marker)
    }
}

impl Page for Aliases {
    type Entry = AliasEntry;

    fn turn(self) -> (Vec<AliasEntry>, Option<String>) {
        (self.aliases, self.next_marker)
    }
}

impl FunctionEntry {
    fn note(&self) -> String {
        let runtime = self.runtime.as_deref().unwrap_or("container image");
        match self.description.as_deref().map(str::trim).filter(|text| !text.is_empty()) {
            Some(text) => format!("{runtime}: {}", text.lines().next().unwrap_or_default()),
            None => runtime.to_owned(),
        }
    }
}

impl Lambda {
    /// The functions of the account and region of the credentials, and their aliases as `name:alias`.
    pub(crate) async fn list(&self) -> Result<Vec<Discovered>, UpstreamError> {
        let functions = self.pages::<Functions>("functions/").await?;
        let all = functions.len() <= MANY;
        let mut found = Vec::new();
        for function in functions {
            let name = &function.function_name;
            found.push(Discovered::new(name).with_note(function.note()));
            if !all && !self.is_named_by_alias(name) {
                continue;
            }
            let path = format!("functions/{}/aliases", self.service.escaped(name));
            for alias in self.pages::<Aliases>(&path).await? {
                let note = format!("alias of version {}", alias.function_version);
                found.push(Discovered::new(format!("{name}:{}", alias.name)).with_note(note));
            }
        }
        Ok(found)
    }

    fn is_named_by_alias(&self, function: &str) -> bool {
        let aliased = self.aliased.lock().unwrap_or_else(PoisonError::into_inner);
        aliased.contains(function)
    }

    async fn pages<P: Page>(&self, path: &str) -> Result<Vec<P::Entry>, UpstreamError> {
        let mut found = Vec::new();
        let mut marker: Option<String> = None;
        loop {
            let query = match &marker {
                Some(marker) => format!("Marker={}&MaxItems=50", self.service.escaped(marker)),
                None => "MaxItems=50".to_owned(),
            };
            let (entries, next) = self.page::<P>(path, &query).await?.turn();
            found.extend(entries);
            match next.filter(|next| !next.is_empty()) {
                // A marker that does not move on would be followed for ever.
                Some(next) if marker.as_ref() != Some(&next) => marker = Some(next),
                _ => return Ok(found),
            }
        }
    }

    async fn page<P: Page>(&self, path: &str, query: &str) -> Result<P, UpstreamError> {
        let unfit = |error| UpstreamError::new(ErrorKind::BadReply, "a name makes no path").with_source(error);
        let address = self.service.operation(path, query).map_err(unfit)?;
        let mut tries = 1;
        let body = loop {
            match self.ask(&address).await {
                Err(error) if error.kind() == ErrorKind::Throttled && tries < TRIES => {
                    tracing::debug!(%error, "Lambda throttles the listing of its functions.");
                    let wait = error.retry_after().unwrap_or(Duration::from_secs(1) * tries);
                    tokio::time::sleep(wait.mul_f64(1.0 + fastrand::f64() / 2.0)).await;
                    tries += 1;
                }
                other => break other?,
            }
        };
        serde_json::from_slice(&body).map_err(|error| {
            UpstreamError::new(ErrorKind::BadReply, format!("Lambda's answer to GET {} is no listing", address.sent))
                .with_source(error)
        })
    }

    async fn ask(&self, address: &Address) -> Result<bytes::Bytes, UpstreamError> {
        let response = self
            .exchange(About::Listing(address.sent.path()), |signer, time| {
                request::get(&self.service, address, signer, time)
            })
            .await?;
        response.into_body().collect(MAX_PAGE).await.map_err(error::reply_body)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_read_as_the_service_writes_them() {
        let page = r#"{"NextMarker": "m", "Functions": [
            {"FunctionName": "a", "Runtime": "python3.12", "Description": " Takes orders.\nMore.", "Timeout": 3},
            {"FunctionName": "b", "PackageType": "Image", "Description": ""}]}"#;
        let (functions, next) = serde_json::from_str::<Functions>(page).unwrap().turn();
        let notes: Vec<_> = functions.iter().map(FunctionEntry::note).collect();
        assert_eq!(notes, ["python3.12: Takes orders.", "container image"]);
        assert_eq!(next.as_deref(), Some("m"));
        let page = r#"{"Aliases": [{"Name": "live", "FunctionVersion": "7", "RevisionId": "x"}]}"#;
        let (aliases, next) = serde_json::from_str::<Aliases>(page).unwrap().turn();
        assert_eq!((&*aliases[0].name, &*aliases[0].function_version, next), ("live", "7", None));
    }
}
