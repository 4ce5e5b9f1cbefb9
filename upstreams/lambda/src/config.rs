//! The settings of the kind, per upstream.

use aws_credential_types::Credentials as Keys;
use callgate_core::{Invalid, Period, Secret, Settings, document::Text};
use callgate_http::{Endpoint, HttpSettings, ProxySettings, TlsSettings};
use callgate_transform::OneOrMany;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{name, region};

/// An account and region of AWS Lambda functions.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The region: `eu-west-1`. Without it `AWS_REGION`, `AWS_DEFAULT_REGION` or the profile's region.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// The address of the service: LocalStack, a VPC endpoint; plain HTTP is allowed. Default: the region's own,
    /// `https://lambda.REGION.amazonaws.com`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    /// The account of the functions, 12 digits, where it is not the account of the credentials.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account: Option<Text>,
    /// Default: the AWS chain: environment, profile, web identity (IRSA), EKS Pod Identity and ECS, the instance's role.
    pub credentials: Credentials,
    /// Roles to assume with these credentials.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub assume_role: Option<AssumeRole>,
    /// TLS towards the service, where `endpoint` has a certificate of its own. It is always verified.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls: Option<TlsSettings>,
    /// A forward proxy on the way to AWS: `http://host:port`, or `{url, user, password}`. What asks AWS for credentials
    /// goes through it too, but for the metadata services of the machine.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proxy: Option<ProxySettings>,
    /// How long a new connection may take: name look-up, TCP and TLS together. Default: 5s.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connect_timeout: Option<Period>,
    /// How long an unused connection is kept. Default: 55s.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub idle_timeout: Option<Period>,
    /// How many unused connections each worker keeps. Default: 256.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_idle: Option<usize>,
}

/// Where credentials come from: `{access_key_id, secret_access_key}`, with `session_token` if they are temporary, or
/// `{profile}`; empty for the AWS chain.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Credentials {
    /// The id of a key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub access_key_id: Option<Text>,
    /// The key's secret.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret_access_key: Option<Secret>,
    /// The token that belongs to temporary keys.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session_token: Option<Secret>,
    /// The name of a profile in the shared AWS configuration files.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
}

/// Roles to assume, through STS of the upstream's region.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AssumeRole {
    /// The role's ARN, or a list of them: each is assumed with the credentials of the one before.
    pub arn: OneOrMany<String>,
    /// What the role's owner asked to be told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external_id: Option<Text>,
    /// The session's name in the account's audit log. Default: `callgate`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_name: Option<Text>,
    /// The address of STS. Default: the region's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
}

impl Config {
    /// The region that is in force, wherever it is named.
    pub(crate) fn effective_region(&self) -> Option<String> {
        self.region.clone().or_else(|| region::from_environment(self.credentials.profile.as_deref()))
    }

    /// How connections to the service are made.
    pub(crate) fn http(&self) -> HttpSettings {
        HttpSettings {
            tls: self.tls.clone(),
            http2: None,
            proxy: self.proxy.clone(),
            connect_timeout: self.connect_timeout,
            idle_timeout: self.idle_timeout,
            max_idle: self.max_idle,
        }
    }
}

impl Credentials {
    /// The keys that are written here.
    pub(crate) fn fixed(&self) -> Option<Keys> {
        let id = self.access_key_id.as_deref()?;
        let secret = self.secret_access_key.as_ref()?.expose();
        let token = self.session_token.as_ref().map(|token| token.expose().to_owned());
        Some(Keys::new(id, secret, token, None, "configuration"))
    }

    fn check(&self, found: &mut Vec<Invalid>) {
        let mut missing = |field: &str, needs: &str| {
            let message = format!("`{field}` is missing: {needs}");
            let hint = "write `access_key_id` and `secret_access_key`, or `profile`, or leave `credentials` out";
            found.push(Invalid::new(message).at("credentials").hint(hint));
        };
        match (&self.access_key_id, &self.secret_access_key) {
            (Some(_), None) => missing("secret_access_key", "an access key has an id and a secret"),
            (None, Some(_)) => missing("access_key_id", "an access key has an id and a secret"),
            (None, None) if self.session_token.is_some() => {
                missing("access_key_id", "a session token belongs to an access key");
            }
            _ => {}
        }
        let key = self.access_key_id.is_some() || self.secret_access_key.is_some() || self.session_token.is_some();
        if key && self.profile.is_some() {
            let message = "an access key and a profile exclude each other";
            found.push(Invalid::new(message).at("credentials.profile").hint("keep one of them"));
        }
        let empty = |text: Option<&str>| text.is_some_and(|text| text.trim().is_empty());
        if empty(self.access_key_id.as_deref()) {
            found.push(Invalid::new("the access key's id is empty").at("credentials.access_key_id"));
        }
        if empty(self.secret_access_key.as_ref().map(Secret::expose)) {
            found.push(Invalid::new("the access key's secret is empty").at("credentials.secret_access_key"));
        }
    }
}

impl Settings for Config {
    fn check(&self) -> Vec<Invalid> {
        let mut found = Vec::new();
        match self.effective_region() {
            None => found.push(
                Invalid::new(
                    "no region: it is neither set here, nor in AWS_REGION or AWS_DEFAULT_REGION, nor in the AWS profile",
                )
                .hint("write `region: eu-west-1`"),
            ),
            Some(region) if !is_region(&region) => found.push(
                Invalid::new(format!("`{region}` is no AWS region"))
                    .at("region")
                    .hint("a region has lower-case letters, digits and hyphens, as `eu-west-1`"),
            ),
            Some(_) => {}
        }
        if let Some(endpoint) = &self.endpoint {
            found.extend(address(endpoint, "endpoint"));
        }
        if let Some(account) = self.account.as_deref().filter(|account| !name::is_account(account)) {
            let hint = "an account has 12 digits; quote it if it begins with 0";
            found.push(Invalid::new(format!("`{account}` is no AWS account")).at("account").hint(hint));
        }
        found.extend(self.http().check());
        self.credentials.check(&mut found);
        if let Some(role) = &self.assume_role {
            role.check(&mut found);
        }
        found
    }
}

impl AssumeRole {
    fn check(&self, found: &mut Vec<Invalid>) {
        if self.arn.is_empty() {
            found.push(Invalid::new("the list of roles is empty").at("assume_role.arn"));
        }
        for role in self.arn.iter().filter(|role| !is_role(role)) {
            let hint = "a role is written `arn:aws:iam::123456789012:role/NAME`";
            found.push(Invalid::new(format!("`{role}` is no role")).at("assume_role.arn").hint(hint));
        }
        let fits = |name: &str| {
            (2..=64).contains(&name.len())
                && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_=,.@-".contains(&byte))
        };
        if self.session_name.as_deref().is_some_and(|name| !fits(name)) {
            let hint = "2 to 64 letters, digits and any of `_=,.@-`";
            found.push(Invalid::new("AWS does not take this session name").at("assume_role.session_name").hint(hint));
        }
        if let Some(endpoint) = &self.endpoint {
            found.extend(address(endpoint, "assume_role.endpoint"));
        }
    }
}

fn is_region(text: &str) -> bool {
    let valid = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=32).contains(&text.len()) && text.bytes().all(valid) && !text.starts_with('-') && !text.ends_with('-')
}

fn is_role(text: &str) -> bool {
    let parts: Vec<&str> = text.splitn(6, ':').collect();
    matches!(*parts, ["arn", partition, "iam", "", account, role]
        if partition.starts_with("aws") && name::is_account(account)
            && role.strip_prefix("role/").is_some_and(|name| !name.is_empty()))
}

fn address(text: &str, field: &str) -> Option<Invalid> {
    Endpoint::parse(text).err().map(|error| Invalid::new(error.to_string()).at(field))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn config(value: serde_json::Value) -> Config {
        serde_json::from_value(value).unwrap()
    }

    fn flaws(value: serde_json::Value) -> Vec<(String, String)> {
        config(value).check().into_iter().map(|invalid| (invalid.field, invalid.message)).collect()
    }

    #[test]
    fn settings_that_say_everything_are_fine() {
        let found = flaws(json!({
            "region": "eu-west-1",
            "endpoint": "http://localhost:4566",
            "account": "000000000000",
            "credentials": {"access_key_id": "AKID", "secret_access_key": "s", "session_token": "t"},
            "assume_role": {"arn": ["arn:aws:iam::123456789012:role/a", "arn:aws:iam::123456789012:role/path/b"],
                            "external_id": "x", "session_name": "gate"},
        }));
        assert_eq!(found, []);
    }

    #[test]
    fn what_does_not_stand_together_is_said_at_its_place() {
        let field = |value| flaws(value).first().cloned().unwrap().0;
        assert_eq!(field(json!({"region": "Europe"})), "region");
        assert_eq!(field(json!({"region": "eu-west-1", "endpoint": "localhost:4566"})), "endpoint");
        assert_eq!(field(json!({"region": "eu-west-1", "account": "12"})), "account");
        let credentials = |value| json!({"region": "eu-west-1", "credentials": value});
        assert_eq!(field(credentials(json!({"access_key_id": "a"}))), "credentials");
        assert_eq!(field(credentials(json!({"session_token": "a"}))), "credentials");
        let both = credentials(json!({"access_key_id": "a", "secret_access_key": "b", "profile": "c"}));
        assert_eq!(field(both), "credentials.profile");
        let role = |value| json!({"region": "eu-west-1", "assume_role": value});
        assert_eq!(field(role(json!({"arn": "role/x"}))), "assume_role.arn");
        assert_eq!(field(role(json!({"arn": []}))), "assume_role.arn");
        let named = role(json!({"arn": "arn:aws:iam::123456789012:role/x", "session_name": "a b"}));
        assert_eq!(field(named), "assume_role.session_name");
    }

    #[test]
    fn a_role_may_stand_alone_or_in_a_list() {
        let one = config(json!({"assume_role": {"arn": "arn:aws:iam::123456789012:role/x"}}));
        assert_eq!(one.assume_role.unwrap().arn.iter().count(), 1);
    }

    #[test]
    fn secrets_are_in_no_debug_and_in_no_dump() {
        let config = config(json!({
            "credentials": {"access_key_id": "AKID", "secret_access_key": "hush-1", "session_token": "hush-2"},
        }));
        let shown = format!("{config:?} {} {:?}", serde_json::to_string(&config).unwrap(), config.credentials.fixed());
        assert!(!shown.contains("hush"), "{shown}");
        assert_eq!(config.credentials.fixed().unwrap().secret_access_key(), "hush-1");
    }
}
