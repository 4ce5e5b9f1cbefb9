//! The JSON files in which Google keeps credentials.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use callgate_core::Secret;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;

use super::{
    access::{Principal, User},
    address::Address,
    error::CredentialsError,
    federation::{Federation, Format, Subject},
    jwt::SigningKey,
    service_account::ServiceAccount,
    source::{Impersonation, Source},
};

const TOKEN_URI: &str = "https://oauth2.googleapis.com/token";
const ACCESS: &str = ":generateAccessToken";
const IDENTITY: &str = ":generateIdToken";

#[derive(Deserialize)]
struct Key {
    client_email: String,
    private_key: Secret,
    private_key_id: Option<String>,
    token_uri: Option<String>,
}

#[derive(Deserialize)]
struct AuthorizedUser {
    client_id: String,
    client_secret: Secret,
    refresh_token: Secret,
    token_uri: Option<String>,
}

#[derive(Deserialize)]
struct Impersonated {
    service_account_impersonation_url: String,
    #[serde(default)]
    delegates: Vec<String>,
    source_credentials: Value,
}

#[derive(Deserialize)]
struct External {
    audience: String,
    subject_token_type: String,
    token_url: String,
    service_account_impersonation_url: Option<String>,
    credential_source: CredentialSource,
    client_id: Option<String>,
    client_secret: Option<Secret>,
}

#[derive(Deserialize)]
struct CredentialSource {
    file: Option<PathBuf>,
    url: Option<String>,
    #[serde(default)]
    headers: BTreeMap<String, Secret>,
    format: Option<SubjectFormat>,
}

#[derive(Deserialize)]
struct SubjectFormat {
    #[serde(rename = "type", default)]
    kind: Option<String>,
    subject_token_field_name: Option<String>,
}

/// Reads a file; it blocks.
pub(crate) fn read(file: &Path) -> Result<Source, CredentialsError> {
    let text = std::fs::read(file).map_err(|source| CredentialsError::File { file: file.to_owned(), source })?;
    let document: Value =
        serde_json::from_slice(&text).map_err(|source| CredentialsError::Json { file: file.to_owned(), source })?;
    Reader { file }.source(document)
}

struct Reader<'a> {
    file: &'a Path,
}

impl Reader<'_> {
    fn source(&self, document: Value) -> Result<Source, CredentialsError> {
        match kind(&document).as_str() {
            "service_account" => self.key(document).map(Source::ServiceAccount),
            "impersonated_service_account" => {
                let impersonated: Impersonated = self.typed(document)?;
                let principal = self.principal(impersonated.source_credentials)?;
                let url = &impersonated.service_account_impersonation_url;
                impersonation(principal, url, impersonated.delegates)
            }
            "external_account" => {
                let (federation, url) = self.federation(document)?;
                let url = url.ok_or(CredentialsError::NoImpersonation)?;
                impersonation(Principal::Federation(Box::new(federation)), &url, Vec::new())
            }
            "authorized_user" => Err(CredentialsError::User),
            other => Err(CredentialsError::Type(other.to_owned())),
        }
    }

    /// Who impersonates: anyone with an access token.
    fn principal(&self, document: Value) -> Result<Principal, CredentialsError> {
        match kind(&document).as_str() {
            "service_account" => self.key(document).map(Principal::ServiceAccount),
            "authorized_user" => {
                let user: AuthorizedUser = self.typed(document)?;
                let token_uri = token_uri(user.token_uri.as_deref())?;
                let (client_id, client_secret, refresh_token) =
                    (user.client_id, user.client_secret, user.refresh_token);
                Ok(Principal::User(User { client_id, client_secret, refresh_token, token_uri }))
            }
            "external_account" => Ok(Principal::Federation(Box::new(self.federation(document)?.0))),
            other => Err(CredentialsError::Type(other.to_owned())),
        }
    }

    fn key(&self, document: Value) -> Result<ServiceAccount, CredentialsError> {
        let key: Key = self.typed(document)?;
        Ok(ServiceAccount {
            token_uri: token_uri(key.token_uri.as_deref())?,
            key: SigningKey::from_pem(key.private_key.expose(), key.private_key_id)?,
            email: key.client_email,
        })
    }

    /// A federation, and the URL of the account that it impersonates.
    fn federation(&self, document: Value) -> Result<(Federation, Option<String>), CredentialsError> {
        let external: External = self.typed(document)?;
        let source = external.credential_source;
        let subject = match (source.file, &source.url) {
            (Some(file), None) => Subject::File(file),
            (None, Some(url)) => {
                let address = address("credential_source.url", url)?;
                Subject::Url(address, source.headers.into_iter().collect())
            }
            _ => return Err(CredentialsError::SubjectSource),
        };
        let federation = Federation {
            token_url: address("token_url", &external.token_url)?,
            audience: external.audience,
            subject_token_type: external.subject_token_type,
            subject,
            format: format(source.format)?,
            client: external.client_id.map(|id| (id, external.client_secret.unwrap_or_else(|| Secret::new("")))),
        };
        Ok((federation, external.service_account_impersonation_url))
    }

    fn typed<T: DeserializeOwned>(&self, document: Value) -> Result<T, CredentialsError> {
        serde_json::from_value(document).map_err(|source| CredentialsError::Json { file: self.file.to_owned(), source })
    }
}

fn kind(document: &Value) -> String {
    document["type"].as_str().unwrap_or_default().to_owned()
}

fn address(field: &'static str, url: &str) -> Result<Address, CredentialsError> {
    Address::parse(url).map_err(|source| CredentialsError::Url { field, source })
}

fn token_uri(own: Option<&str>) -> Result<Address, CredentialsError> {
    address("token_uri", own.unwrap_or(TOKEN_URI))
}

/// The files name the method for access tokens; the one for ID tokens stands beside it.
fn impersonation(principal: Principal, url: &str, delegates: Vec<String>) -> Result<Source, CredentialsError> {
    let account = url.strip_suffix(ACCESS).ok_or(CredentialsError::ImpersonationUrl)?;
    let url = address("service_account_impersonation_url", &format!("{account}{IDENTITY}"))?;
    Ok(Source::Impersonation(Box::new(Impersonation::new(principal, url, delegates))))
}

fn format(format: Option<SubjectFormat>) -> Result<Format, CredentialsError> {
    let Some(format) = format else { return Ok(Format::Text) };
    match (format.kind.as_deref(), format.subject_token_field_name) {
        (None | Some("text"), _) => Ok(Format::Text),
        (Some("json"), Some(field)) => Ok(Format::Json(field)),
        _ => Err(CredentialsError::Format),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn problem(document: Value) -> String {
        let source = Reader { file: Path::new("key.json") }.source(document);
        callgate_core::chain(&source.unwrap_err())
    }

    fn external(source: &Value) -> Value {
        json!({
            "type": "external_account", "audience": "//iam.googleapis.com/p", "subject_token_type": "urn:x",
            "token_url": "https://sts.googleapis.com/v1/token", "credential_source": source,
            "service_account_impersonation_url": "https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/a@b:generateAccessToken",
        })
    }

    fn federated(source: &Value) -> Federation {
        Reader { file: Path::new("key.json") }.federation(external(source)).unwrap().0
    }

    #[test]
    fn subject_tokens_come_from_files_and_urls() {
        let file = federated(&json!({"file": "/var/run/token"}));
        assert!(matches!(&file.subject, Subject::File(path) if path == Path::new("/var/run/token")));
        assert_eq!(file.format, Format::Text);
        let url = federated(&json!({
            "url": "http://127.0.0.1/t?x=1", "headers": {"Metadata": "True"},
            "format": {"type": "json", "subject_token_field_name": "access_token"},
        }));
        assert!(
            matches!(&url.subject, Subject::Url(address, headers) if address.target == "/t?x=1" && headers.len() == 1)
        );
        assert_eq!(url.format, Format::Json("access_token".to_owned()));
    }

    #[test]
    fn what_gives_no_id_token_says_what_would() {
        assert!(problem(json!({"type": "authorized_user"})).contains("--impersonate-service-account"));
        assert!(problem(json!({"type": "gdch_service_account"})).contains("`gdch_service_account`"));
        assert!(problem(json!({})).contains("the type ``"));
        let mut alone = external(&json!({"file": "t"}));
        alone.as_object_mut().unwrap().remove("service_account_impersonation_url");
        assert!(problem(alone).contains("service account to impersonate"));
        assert!(problem(external(&json!({"environment_id": "aws1"}))).contains("`file` or a `url`"));
        assert!(problem(external(&json!({"executable": {"command": "x"}}))).contains("`file` or a `url`"));
        assert!(
            problem(external(&json!({"file": "t", "format": {"type": "json"}}))).contains("subject_token_field_name")
        );
        assert!(problem(json!({"type": "service_account", "client_email": "a"})).contains("private_key"));
    }

    #[test]
    fn urls_and_keys_are_read_at_load() {
        let key = |uri: &str| json!({"type": "service_account", "client_email": "a", "private_key": "hush", "token_uri": uri});
        assert!(problem(key("token")).contains("`token_uri`"));
        let unread = problem(key("https://a/token"));
        assert!(unread.contains("RSA key") && !unread.contains("hush"), "{unread}");
        let mut other = external(&json!({"file": "t"}));
        other["service_account_impersonation_url"] = json!("https://a/b:signBlob");
        assert!(problem(other).contains(":generateAccessToken"));
    }
}
