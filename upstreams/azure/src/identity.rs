//! The settings of an identity of Microsoft Entra.

use std::{fmt, net::IpAddr, path::PathBuf};

use callgate_core::{Files, Invalid, Secret, document::Text};
use callgate_http::{Endpoint, HttpSettings, TlsSettings};
use http::uri::Scheme;
use schemars::JsonSchema;
use serde::{
    Deserialize, Deserializer, Serialize,
    de::{self, MapAccess, Visitor, value::MapAccessDeserializer},
};

/// Which token calls carry, and who asks for it: one of `managed_identity`, `workload_identity` and `client_secret`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Entra {
    /// Who the token is for: the application ID URI (`api://...`) or client id that the app's sign-in accepts.
    pub audience: String,
    /// Who issues tokens. Default: `AZURE_AUTHORITY_HOST`, else `https://login.microsoftonline.com`. With
    /// `managed_identity`: the instance metadata service. Default: `AZURE_POD_IDENTITY_AUTHORITY_HOST`, else
    /// `http://169.254.169.254`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authority: Option<String>,
    /// The machine's own identity: `true`, or `{client_id}` for one of several. Found by `IDENTITY_ENDPOINT` and
    /// `IDENTITY_HEADER` in App Service and Container Apps, else by the instance metadata service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub managed_identity: Option<ManagedIdentity>,
    /// The identity of a Kubernetes service account: `true`, or its `{tenant_id, client_id, token_file}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workload_identity: Option<WorkloadIdentity>,
    /// An application with a secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_secret: Option<ClientSecret>,
    /// TLS towards the authority, where it has a certificate of its own. It is always verified.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<TlsSettings>,
}

/// A managed identity.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum ManagedIdentity {
    /// `true`: the one that the platform takes by itself.
    Default(bool),
    /// One of several.
    Assigned(Assigned),
}

/// A managed identity that was assigned by a user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Assigned {
    /// The identity's client id.
    pub client_id: Text,
}

/// A workload identity.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum WorkloadIdentity {
    /// `true`: all of it by the environment, as Azure's webhook sets it.
    Default(bool),
    /// With some of it written out.
    Written(Federated),
}

/// What a workload identity consists of.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Federated {
    /// The tenant. Default: `AZURE_TENANT_ID`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tenant_id: Option<Text>,
    /// The application's client id. Default: `AZURE_CLIENT_ID`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_id: Option<Text>,
    /// The file with the service account's token, read anew for each request. Default: `AZURE_FEDERATED_TOKEN_FILE`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token_file: Option<PathBuf>,
}

/// An application with a secret.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ClientSecret {
    /// The tenant: its id, or one of its domains.
    pub tenant_id: Text,
    /// The application's client id.
    pub client_id: Text,
    /// The secret.
    pub secret: Secret,
}

impl ManagedIdentity {
    pub(crate) fn client_id(&self) -> Option<&str> {
        match self {
            Self::Default(_) => None,
            Self::Assigned(assigned) => Some(&assigned.client_id),
        }
    }
}

impl WorkloadIdentity {
    pub(crate) fn written(&self) -> Federated {
        match self {
            Self::Default(_) => Federated::default(),
            Self::Written(written) => written.clone(),
        }
    }
}

impl Entra {
    /// The audience without the suffix by which the newer protocol asks for it.
    pub(crate) fn resource(&self) -> &str {
        self.audience.strip_suffix("/.default").unwrap_or(&self.audience)
    }

    pub(crate) fn http(&self) -> HttpSettings {
        HttpSettings { tls: self.tls.clone(), ..HttpSettings::default() }
    }

    pub(crate) fn check(&self, found: &mut Vec<Invalid>) {
        let mut wrong = |field: &str, message: String, hint: &str| {
            let field =
                if field.is_empty() { "credentials.entra".to_owned() } else { format!("credentials.entra.{field}") };
            found.push(Invalid::new(message).at(field).hint(hint));
        };
        if self.resource().is_empty() || self.audience.contains(char::is_whitespace) {
            let message = format!("`{}` is no audience", self.audience);
            wrong(
                "audience",
                message,
                "write the application ID URI, `api://...`, or the client id of the app's sign-in",
            );
        }
        let given = [
            ("managed_identity", self.managed_identity.is_some()),
            ("workload_identity", self.workload_identity.is_some()),
            ("client_secret", self.client_secret.is_some()),
        ];
        let mut given = given.into_iter().filter(|(_, given)| *given).map(|(name, _)| name);
        match (given.next(), given.next()) {
            (None, _) => {
                let hint = "add `managed_identity: true`, `workload_identity: true` or `client_secret: {...}`";
                wrong("", "it is not said who asks for the token".to_owned(), hint);
            }
            (Some(first), Some(second)) => {
                wrong(second, format!("`{first}` and `{second}` exclude each other"), "keep one of them");
            }
            (Some(_), None) => {}
        }
        if let Some(authority) = &self.authority {
            match Endpoint::parse(authority) {
                Err(error) => wrong("authority", error.to_string(), "write `https://login.microsoftonline.com`"),
                Ok(endpoint) if self.managed_identity.is_none() && !is_safe(&endpoint) => {
                    let message = "a secret would go to the authority over plain HTTP".to_owned();
                    wrong("authority", message, "write `https://`; plain HTTP is for `localhost` alone");
                }
                Ok(_) => {}
            }
        }
        let federated = self.workload_identity.as_ref().map(WorkloadIdentity::written).unwrap_or_default();
        let secret = self.client_secret.as_ref();
        let tenants = [
            ("workload_identity.tenant_id", federated.tenant_id.as_deref()),
            ("client_secret.tenant_id", secret.map(|secret| &*secret.tenant_id)),
        ];
        for (field, tenant) in tenants {
            if let Some(tenant) = tenant.filter(|tenant| !is_tenant(tenant)) {
                wrong(field, format!("`{tenant}` is no tenant"), "write the tenant's id, or one of its domains");
            }
        }
        if secret.is_some_and(|secret| secret.secret.expose().trim().is_empty()) {
            wrong("client_secret.secret", "the secret is empty".to_owned(), "give it by reference: `\"${SECRET}\"`");
        }
        found.extend(self.http().check().into_iter().map(within));
    }

    /// Reads the files that the settings name, but for the token's: the platform writes it where the gateway runs, again and
    /// again, and it is read for each request.
    pub(crate) fn read_files(&self, files: &Files) -> Vec<Invalid> {
        self.http().read_files(files).into_iter().map(within).collect()
    }
}

/// Puts a flaw at its place below the kind's settings.
fn within(invalid: Invalid) -> Invalid {
    let field = format!("credentials.entra.{}", invalid.field);
    invalid.at(field)
}

/// A tenant stands in the path of the token's address.
pub(crate) fn is_tenant(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'.')
}

/// Whether nobody on the way can read along.
pub(crate) fn is_safe(endpoint: &Endpoint) -> bool {
    let loopback = || endpoint.host().parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
    *endpoint.scheme() == Scheme::HTTPS || endpoint.host().eq_ignore_ascii_case("localhost") || loopback()
}

/// Reads `true` or a mapping.
struct TrueOr<T> {
    expected: &'static str,
    yes: fn() -> T,
}

macro_rules! true_or {
    ($type:ident, $variant:ident($content:ty), $expected:literal) => {
        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_any(TrueOr { expected: $expected, yes: || Self::Default(true) })
            }
        }

        impl<'de> Visitor<'de> for TrueOr<$type> {
            type Value = $type;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.expected)
            }

            fn visit_bool<E: de::Error>(self, yes: bool) -> Result<$type, E> {
                if yes {
                    Ok((self.yes)())
                } else {
                    Err(E::custom(concat!("expected ", $expected, ", found `false`: leave it out")))
                }
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<$type, A::Error> {
                <$content>::deserialize(MapAccessDeserializer::new(map)).map($type::$variant)
            }
        }
    };
}

true_or!(ManagedIdentity, Assigned(Assigned), "`true` or `{client_id}`");
true_or!(WorkloadIdentity, Written(Federated), "`true` or `{tenant_id, client_id, token_file}`");

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn fields(entra: serde_json::Value) -> Vec<String> {
        let entra: Entra = serde_json::from_value(entra).unwrap();
        let mut found = Vec::new();
        entra.check(&mut found);
        found.into_iter().map(|invalid| invalid.field).collect()
    }

    #[test]
    fn one_identity_asks() {
        assert_eq!(fields(json!({"audience": "api://a", "managed_identity": true})), [""; 0]);
        assert_eq!(fields(json!({"audience": "api://a", "managed_identity": {"client_id": "c"}})), [""; 0]);
        assert_eq!(fields(json!({"audience": "api://a", "workload_identity": {"token_file": "t"}})), [""; 0]);
        let secret = json!({"tenant_id": "t", "client_id": "c", "secret": "s"});
        assert_eq!(fields(json!({"audience": "a", "client_secret": secret})), [""; 0]);
        assert_eq!(fields(json!({"audience": "a"})), ["credentials.entra"]);
        let two = json!({"audience": "a", "managed_identity": true, "client_secret": secret});
        assert_eq!(fields(two), ["credentials.entra.client_secret"]);
    }

    #[test]
    fn what_is_wrong_is_told_at_its_place() {
        let with = |value: serde_json::Value| {
            let mut entra =
                json!({"audience": "api://a", "client_secret": {"tenant_id": "t", "client_id": "c", "secret": "s"}});
            entra.as_object_mut().unwrap().extend(value.as_object().unwrap().clone());
            fields(entra)
        };
        assert_eq!(with(json!({"audience": "a b"})), ["credentials.entra.audience"]);
        assert_eq!(with(json!({"audience": "/.default"})), ["credentials.entra.audience"]);
        assert_eq!(with(json!({"authority": "login.example.com"})), ["credentials.entra.authority"]);
        assert_eq!(with(json!({"authority": "http://login.example.com"})), ["credentials.entra.authority"]);
        assert_eq!(with(json!({"authority": "http://127.0.0.1:8080"})), [""; 0]);
        let wrong = json!({"client_secret": {"tenant_id": "../x", "client_id": "c", "secret": " "}});
        assert_eq!(
            with(wrong),
            ["credentials.entra.client_secret.tenant_id", "credentials.entra.client_secret.secret"]
        );
        assert_eq!(with(json!({"tls": {"private_key": "k"}})), ["credentials.entra.tls.private_key"]);
    }

    #[test]
    fn yes_or_options_and_nothing_else() {
        for wrong in [json!(false), json!("yes"), json!({"client": "x"})] {
            let read = serde_json::from_value::<ManagedIdentity>(wrong.clone());
            assert!(read.is_err(), "{wrong}");
        }
        let error = serde_json::from_value::<WorkloadIdentity>(json!(false)).unwrap_err().to_string();
        assert!(error.contains("leave it out"), "{error}");
        let shown = serde_json::to_value(ManagedIdentity::Default(true)).unwrap();
        assert_eq!(shown, json!(true));
    }

    #[test]
    fn the_audience_may_be_written_as_a_scope() {
        let entra: Entra =
            serde_json::from_value(json!({"audience": "api://a/.default", "managed_identity": true})).unwrap();
        assert_eq!(entra.resource(), "api://a");
    }
}
