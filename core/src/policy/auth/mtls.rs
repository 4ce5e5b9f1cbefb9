//! `mtls`: the certificate that the client showed on its connection, and that the listener has verified.

use std::{net::IpAddr, time::UNIX_EPOCH};

use callgate_transform::OneOrMany;
use http::HeaderValue;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{denied::Denied, identity::Identity, name_pattern::NamePattern};
use crate::{
    document::Text,
    edge::{ClientCertificate, IpRange, ShownCertificate},
    invocation::CallContext,
    policy::settings::Inherit,
    upstream::Invalid,
};

/// There is no registered scheme for certificates, and 401 has to name one.
const CHALLENGE: HeaderValue = HeaderValue::from_static("ClientCertificate");

/// Certificates that clients show, which a listener with `client_ca` has verified. All that is given here has to hold; of a
/// list one. Without anything every verified certificate is let in. `*` stands for any characters within a part of a name
/// (up to a dot of `dns`, up to a slash of `uri`), `**` for any characters at all.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct MtlsSettings {
    /// The subject's common name.
    #[serde(skip_serializing_if = "Option::is_none")]
    common_name: Option<OneOrMany<Text>>,
    /// The whole subject, as `client.certificate.subject` has it: `O=Example, CN=billing`.
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<OneOrMany<Text>>,
    /// The whole issuer, written as the subject is.
    #[serde(skip_serializing_if = "Option::is_none")]
    issuer: Option<OneOrMany<Text>>,
    /// The subject's alternative names, of which one of each sort that is given has to be right.
    #[serde(skip_serializing_if = "Option::is_none")]
    san: Option<AlternativeNameSettings>,
    /// SHA-256 of the whole certificate in hex, with or without colons.
    #[serde(skip_serializing_if = "Option::is_none")]
    fingerprint: Option<OneOrMany<Text>>,
    /// Which of its names the client is called by (`claims.sub`, `principal`): the first of these that the certificate has.
    /// Default: `[common_name, uri, dns, email, subject]`.
    #[serde(skip_serializing_if = "Option::is_none")]
    sub: Option<OneOrMany<NameOf>>,
}

/// What alternative names have to be.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct AlternativeNameSettings {
    /// Domain names: `*.example.com` is for one label.
    #[serde(skip_serializing_if = "Option::is_none")]
    dns: Option<OneOrMany<Text>>,
    /// URIs: `spiffe://example.org/ns/*/sa/billing`.
    #[serde(skip_serializing_if = "Option::is_none")]
    uri: Option<OneOrMany<Text>>,
    /// Mail addresses.
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<OneOrMany<Text>>,
    /// Addresses, or ranges of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    ip: Option<OneOrMany<IpRange>>,
}

/// A name of a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum NameOf {
    /// The subject's common name.
    CommonName,
    /// The first URI.
    Uri,
    /// The first domain name.
    Dns,
    /// The first mail address.
    Email,
    /// The whole subject.
    Subject,
    /// The certificate's own.
    Fingerprint,
}

const NAMES: [NameOf; 5] = [NameOf::CommonName, NameOf::Uri, NameOf::Dns, NameOf::Email, NameOf::Subject];

impl Inherit for MtlsSettings {
    fn inherit(self, outer: &Self) -> Self {
        Self {
            common_name: self.common_name.or_else(|| outer.common_name.clone()),
            subject: self.subject.or_else(|| outer.subject.clone()),
            issuer: self.issuer.or_else(|| outer.issuer.clone()),
            san: match (self.san, &outer.san) {
                (Some(own), Some(outer)) => Some(own.inherit(outer)),
                (own, outer) => own.or_else(|| outer.clone()),
            },
            fingerprint: self.fingerprint.or_else(|| outer.fingerprint.clone()),
            sub: self.sub.or_else(|| outer.sub.clone()),
        }
    }
}

impl Inherit for AlternativeNameSettings {
    fn inherit(self, outer: &Self) -> Self {
        Self {
            dns: self.dns.or_else(|| outer.dns.clone()),
            uri: self.uri.or_else(|| outer.uri.clone()),
            email: self.email.or_else(|| outer.email.clone()),
            ip: self.ip.or_else(|| outer.ip.clone()),
        }
    }
}

/// What certificates have to be, checked.
#[derive(Debug, Clone)]
pub(super) struct Mtls {
    rules: Vec<Rule>,
    sub: Vec<NameOf>,
}

/// One field that is given.
#[derive(Debug, Clone)]
struct Rule {
    /// As refusals name it.
    field: &'static str,
    test: Test,
}

#[derive(Debug, Clone)]
enum Test {
    CommonName(Vec<NamePattern>),
    Subject(Vec<NamePattern>),
    Issuer(Vec<NamePattern>),
    Dns(Vec<NamePattern>),
    Uri(Vec<NamePattern>),
    Email(Vec<NamePattern>),
    Ip(Vec<IpRange>),
    Fingerprint(Vec<String>),
}

impl MtlsSettings {
    pub(super) fn resolve(&self) -> Result<Mtls, Invalid> {
        let Self { common_name, subject, issuer, san, fingerprint, sub } = self;
        let AlternativeNameSettings { dns, uri, email, ip } = san.clone().unwrap_or_default();
        let mut rules = Vec::new();
        let mut add = |field: &'static str, test: Option<Test>| rules.extend(test.map(|test| Rule { field, test }));
        add("common_name", patterns("common_name", common_name.as_ref(), NamePattern::of_text)?.map(Test::CommonName));
        add("subject", patterns("subject", subject.as_ref(), NamePattern::of_text)?.map(Test::Subject));
        add("issuer", patterns("issuer", issuer.as_ref(), NamePattern::of_text)?.map(Test::Issuer));
        add("san.dns", patterns("san.dns", dns.as_ref(), NamePattern::of_domain)?.map(Test::Dns));
        add("san.uri", patterns("san.uri", uri.as_ref(), NamePattern::of_uri)?.map(Test::Uri));
        add("san.email", patterns("san.email", email.as_ref(), NamePattern::of_text)?.map(Test::Email));
        add("san.ip", filled("san.ip", ip.as_ref())?.map(|ranges| Test::Ip(ranges.0.clone())));
        let known = filled("fingerprint", fingerprint.as_ref())?;
        let known = known.map(|known| known.iter().map(hex).collect::<Result<_, _>>()).transpose()?;
        add("fingerprint", known.map(Test::Fingerprint));
        let sub = filled("sub", sub.as_ref())?.map_or_else(|| NAMES.to_vec(), |names| names.0.clone());
        Ok(Mtls { rules, sub })
    }

    pub(super) fn fill(&mut self) {
        self.sub.get_or_insert_with(|| OneOrMany(NAMES.to_vec()));
    }
}

/// A list that is given must not be empty: nothing would ever be let in.
fn filled<'a, T>(field: &str, given: Option<&'a OneOrMany<T>>) -> Result<Option<&'a OneOrMany<T>>, Invalid> {
    match given {
        Some(given) if given.is_empty() => {
            Err(Invalid::new("the list is empty: no certificate would do").at(format!("mtls.{field}")))
        }
        given => Ok(given),
    }
}

fn patterns(
    field: &str,
    given: Option<&OneOrMany<Text>>,
    read: fn(&str) -> Result<NamePattern, Invalid>,
) -> Result<Option<Vec<NamePattern>>, Invalid> {
    let given = filled(field, given)?;
    let read = |text: &Text| read(text).map_err(|invalid| invalid.at(format!("mtls.{field}")));
    given.map(|given| given.iter().map(read).collect()).transpose()
}

/// A fingerprint as certificates have it here: 64 digits in lower case.
fn hex(text: &Text) -> Result<String, Invalid> {
    let digits: String = text.chars().filter(|char| *char != ':').map(|char| char.to_ascii_lowercase()).collect();
    if digits.len() == 64 && digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Ok(digits);
    }
    let invalid = Invalid::new(format!("`{}` is no SHA-256 in hex", &**text)).at("mtls.fingerprint");
    Err(invalid.hint("`openssl x509 -in client.pem -noout -fingerprint -sha256` prints it"))
}

impl Mtls {
    pub(super) fn check(&self, call: &CallContext) -> Result<Identity, Denied> {
        let Some(shown) = &call.origin.certificate else {
            return Err(Denied::missing("a client certificate", &CHALLENGE));
        };
        let certificate = shown.certificate();
        // Its connection may have outlived it.
        let now = call.origin.received.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        if i64::try_from(now).is_ok_and(|now| certificate.not_after < now) {
            return Err(Denied::invalid("The client's certificate has expired.", &CHALLENGE));
        }
        if let Some(rule) = self.rules.iter().find(|rule| !rule.test.holds(certificate)) {
            return Err(Denied::forbidden(format!("The certificate's `{}` does not allow this.", rule.field)));
        }
        let Some(name) = self.sub.iter().find_map(|name| name.of(certificate)) else {
            return Err(Denied::forbidden("The certificate has none of the names that clients are called by here."));
        };
        Ok(Identity::claimed(claims(shown, name)))
    }
}

/// What templates see of the certificate, and the name.
fn claims(shown: &ShownCertificate, name: &str) -> Value {
    let mut claims = (*shown.value()).clone();
    if let Value::Object(fields) = &mut claims {
        fields.insert("sub".to_owned(), name.into());
    }
    claims
}

impl Test {
    fn holds(&self, certificate: &ClientCertificate) -> bool {
        let names = &certificate.san;
        match self {
            Self::CommonName(patterns) => any(patterns, certificate.common_name.as_slice()),
            Self::Subject(patterns) => any(patterns, std::slice::from_ref(&certificate.subject)),
            Self::Issuer(patterns) => any(patterns, std::slice::from_ref(&certificate.issuer)),
            Self::Dns(patterns) => any(patterns, &names.dns),
            Self::Uri(patterns) => any(patterns, &names.uri),
            Self::Email(patterns) => any(patterns, &names.email),
            Self::Ip(ranges) => {
                let within = |address: IpAddr| ranges.iter().any(|range| range.contains(address));
                names.ip.iter().any(|address| address.parse().is_ok_and(within))
            }
            Self::Fingerprint(known) => known.contains(&certificate.fingerprint),
        }
    }
}

/// Whether one of the names will do. An empty one is none, whatever a pattern lets in.
fn any(patterns: &[NamePattern], names: &[String]) -> bool {
    let mut given = names.iter().filter(|name| !name.is_empty());
    given.any(|name| patterns.iter().any(|pattern| pattern.is_match(name)))
}

impl NameOf {
    /// The name, if the certificate has it.
    fn of(self, certificate: &ClientCertificate) -> Option<&str> {
        let names = &certificate.san;
        let name = match self {
            Self::CommonName => certificate.common_name.as_ref(),
            Self::Uri => names.uri.first(),
            Self::Dns => names.dns.first(),
            Self::Email => names.email.first(),
            Self::Subject => Some(&certificate.subject),
            Self::Fingerprint => Some(&certificate.fingerprint),
        };
        name.map(String::as_str).filter(|name| !name.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{from_value, json};

    use super::*;
    use crate::edge::AlternativeNames;

    fn certificate() -> ClientCertificate {
        ClientCertificate {
            subject: "O=Example, CN=billing".to_owned(),
            common_name: Some("billing".to_owned()),
            issuer: "CN=Internal CA".to_owned(),
            fingerprint: "ab".repeat(32),
            not_after: i64::MAX,
            san: AlternativeNames {
                dns: vec!["a.internal.example".to_owned(), "b.test".to_owned()],
                uri: vec!["spiffe://example.org/ns/prod/sa/billing".to_owned()],
                email: Vec::new(),
                ip: vec!["10.1.2.3".to_owned()],
            },
            ..ClientCertificate::default()
        }
    }

    fn refused(settings: Value) -> Option<&'static str> {
        let settings: MtlsSettings = from_value(settings).unwrap();
        let mtls = settings.resolve().unwrap();
        mtls.rules.iter().find(|rule| !rule.test.holds(&certificate())).map(|rule| rule.field)
    }

    #[test]
    fn all_that_is_given_has_to_hold_and_of_a_list_one() {
        for (settings, expected) in [
            (json!({}), None),
            (json!({"common_name": "billing"}), None),
            (json!({"common_name": ["shop", "bill*"]}), None),
            (json!({"common_name": "Billing"}), Some("common_name")),
            (json!({"subject": "O=Example, CN=**"}), None),
            (json!({"issuer": "CN=Other CA"}), Some("issuer")),
            (json!({"common_name": "billing", "issuer": "CN=Other CA"}), Some("issuer")),
            (json!({"san": {"dns": "*.INTERNAL.example"}}), None),
            (json!({"san": {"dns": "*.example"}}), Some("san.dns")),
            (json!({"san": {"dns": "**.example"}}), None),
            (json!({"san": {"uri": "spiffe://example.org/ns/*/sa/billing"}}), None),
            (json!({"san": {"uri": "spiffe://example.org/*"}}), Some("san.uri")),
            (json!({"san": {"uri": "spiffe://example.org/**", "email": "**"}}), Some("san.email")),
            (json!({"san": {"ip": ["10.1.0.0/16"]}}), None),
            (json!({"san": {"ip": "10.2.0.0/16"}}), Some("san.ip")),
            (json!({"fingerprint": "AB:".repeat(31) + "AB"}), None),
            (json!({"fingerprint": "00".repeat(32)}), Some("fingerprint")),
        ] {
            assert_eq!(refused(settings.clone()), expected, "{settings}");
        }
    }

    #[test]
    fn a_name_that_is_not_there_is_not_any_name() {
        let certificate = ClientCertificate { subject: String::new(), ..certificate() };
        let settings: MtlsSettings = from_value(json!({"subject": "**"})).unwrap();
        let mtls = settings.resolve().unwrap();
        assert!(!mtls.rules[0].test.holds(&certificate));
    }

    #[test]
    fn what_can_never_hold_is_told() {
        for (settings, field) in [
            (json!({"common_name": []}), "mtls.common_name"),
            (json!({"san": {"ip": []}}), "mtls.san.ip"),
            (json!({"fingerprint": "abc"}), "mtls.fingerprint"),
            (json!({"sub": []}), "mtls.sub"),
        ] {
            let read: MtlsSettings = from_value(settings.clone()).unwrap();
            assert_eq!(read.resolve().unwrap_err().field, field, "{settings}");
        }
    }

    #[test]
    fn a_level_within_changes_what_it_names() {
        let outer: MtlsSettings = from_value(json!({"issuer": "CN=a", "san": {"dns": "a", "uri": "b"}})).unwrap();
        let own: MtlsSettings = from_value(json!({"san": {"dns": "c"}})).unwrap();
        let merged = serde_json::to_value(own.inherit(&outer)).unwrap();
        assert_eq!(merged, json!({"issuer": "CN=a", "san": {"dns": "c", "uri": "b"}}));
    }

    #[test]
    fn a_client_is_called_by_the_first_name_that_it_has() {
        let mut certificate = certificate();
        let name = |certificate: &ClientCertificate| {
            NAMES.iter().find_map(|name| name.of(certificate)).unwrap_or_default().to_owned()
        };
        assert_eq!(name(&certificate), "billing");
        certificate.common_name = None;
        assert_eq!(name(&certificate), "spiffe://example.org/ns/prod/sa/billing");
        certificate.san = AlternativeNames::default();
        assert_eq!(name(&certificate), "O=Example, CN=billing");
    }
}
