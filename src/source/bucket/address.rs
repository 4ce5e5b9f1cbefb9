//! `nats://[user:password@]host[:port]/bucket[/key]`.

use std::{fmt, path::Path};

use callgate_core::{
    Files, Invalid, Secret, Settings, Upstream,
    document::{References, fill},
};
use callgate_nats::{Config, Credentials, Nats, Tls, bucket::BucketError};
use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use crate::source::{SourceError, error::AddressError};

/// The key of the document, where an address names none.
const KEY: &str = "callgate.yaml";
const FORM: &str = "write nats://[USER:PASSWORD@]HOST[:PORT][,HOST...]/BUCKET[/KEY]";
const OPTIONS: &str = "options are creds, nkey, ca, certificate, private_key, tls_first and inbox_prefix";
const FILES: &str = "its files are looked for where the command runs";

/// The address of a document in a bucket.
#[derive(Debug, Clone)]
pub(crate) struct Address {
    settings: Config,
    /// Scheme and servers, without credentials.
    shown: String,
    bucket: String,
    key: String,
}

impl Address {
    /// Reads an address. References in it are filled in, `${NAME}` and `${file:PATH}`; what they give stands for itself,
    /// whatever characters it has.
    pub(crate) fn parse(text: &str, references: &dyn References) -> Result<Self, AddressError> {
        let wrong = |message: String| AddressError::new(message, FORM);
        let quoted = |value: &str| utf8_percent_encode(value, NON_ALPHANUMERIC).to_string();
        let filled = fill(text, references, quoted)
            .map_err(|why| AddressError::new(format!("has a reference that gives nothing: {why}"), FORM))?;
        let (scheme, rest) = filled.split_once("://").ok_or_else(|| wrong("has no scheme".to_owned()))?;
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let (user, hosts) = match authority.rsplit_once('@') {
            Some((user, hosts)) => (Some(user), decoded(hosts)?),
            None => (None, decoded(authority)?),
        };
        let servers: Vec<String> = hosts.split(',').map(|host| format!("{scheme}://{host}")).collect();
        let path = decoded(path)?;
        let (bucket, key) = path.split_once('/').unwrap_or((&path, KEY));
        let key = if key.is_empty() { KEY } else { key };
        if bucket.is_empty() || !bucket.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_')) {
            let message = if bucket.is_empty() { "names no bucket" } else { "names what is no name of a bucket" };
            return Err(wrong(message.to_owned()));
        }
        let is_of_key = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '/' | '=' | '.');
        if !key.chars().all(is_of_key) || key.starts_with(['.', '/']) || key.ends_with(['.', '/']) {
            return Err(wrong("names what is no key of a bucket".to_owned()));
        }
        let mut settings = Config { credentials: credentials(user)?, ..Config::new(servers) };
        for option in query.split('&').filter(|option| !option.is_empty()) {
            let (name, value) = option.split_once('=').unwrap_or((option, ""));
            set(&mut settings, name, decoded(value)?)?;
        }
        if let Some(Invalid { message, field, .. }) = settings.check().into_iter().next() {
            let what = if field.starts_with("credentials") || field.starts_with("tls") { OPTIONS } else { FORM };
            return Err(AddressError::new(format!("can't be used: {message}"), what));
        }
        let unread = Nats::read_files(&mut settings, &Files::new(Path::new("")));
        if let Some(Invalid { message, .. }) = unread.into_iter().next() {
            return Err(AddressError::new(format!("can't be used: {message}"), FILES));
        }
        let shown = format!("{scheme}://{hosts}");
        Ok(Self { settings, shown, bucket: bucket.to_owned(), key: key.to_owned() })
    }

    pub(super) const fn settings(&self) -> &Config {
        &self.settings
    }

    pub(super) fn bucket(&self) -> &str {
        &self.bucket
    }

    pub(super) fn key(&self) -> &str {
        &self.key
    }

    /// The bucket's address without credentials: `nats://host/bucket`.
    pub(super) fn place(&self) -> String {
        format!("{}/{}", self.shown, self.bucket)
    }

    pub(super) fn failed(&self, source: BucketError) -> SourceError {
        SourceError::Bucket { address: self.to_string(), source }
    }
}

/// Without credentials.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.shown, self.bucket, self.key)
    }
}

fn decoded(text: &str) -> Result<String, AddressError> {
    let decoded = percent_decode_str(text).decode_utf8();
    Ok(decoded.map_err(|_| AddressError::new("has a percent-encoding that is not UTF-8", FORM))?.into_owned())
}

/// `user:password`, or a token.
fn credentials(user: Option<&str>) -> Result<Credentials, AddressError> {
    let mut credentials = Credentials::default();
    match user.map(|user| user.split_once(':').ok_or(user)) {
        Some(Ok((user, password))) => {
            credentials.user = Some(decoded(user)?.into());
            credentials.password = Some(Secret::new(decoded(password)?));
        }
        Some(Err(token)) => credentials.token = Some(Secret::new(decoded(token)?)),
        None => {}
    }
    Ok(credentials)
}

fn set(settings: &mut Config, name: &str, value: String) -> Result<(), AddressError> {
    let tls = &mut settings.tls;
    match name {
        "creds" => settings.credentials.creds_file = Some(value),
        "nkey" => settings.credentials.nkey = Some(Secret::new(value)),
        "inbox_prefix" => settings.inbox_prefix = Some(value),
        "ca" => tls.get_or_insert_with(Tls::default).ca = Some(value),
        "certificate" => tls.get_or_insert_with(Tls::default).certificate = Some(value),
        "private_key" => tls.get_or_insert_with(Tls::default).private_key = Some(value),
        "tls_first" if matches!(value.as_str(), "true" | "false") => {
            tls.get_or_insert_with(Tls::default).first = value == "true";
        }
        "tls_first" => return Err(AddressError::new("has a `tls_first` that is neither true nor false", OPTIONS)),
        _ => {
            let name: String = name.chars().take(32).collect();
            return Err(AddressError::new(format!("has the option `{name}`, which is unknown"), OPTIONS));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::{collections::HashMap, io, path::Path};

    use super::*;

    #[derive(Default)]
    struct Given(HashMap<&'static str, &'static str>);

    impl References for Given {
        fn variable(&self, name: &str) -> Option<String> {
            self.0.get(name).map(|value| (*value).to_owned())
        }

        fn file(&self, path: &Path) -> io::Result<String> {
            let found = self.0.get(path.to_str().unwrap());
            found.map(|value| format!("{value}\n")).ok_or_else(|| io::ErrorKind::NotFound.into())
        }
    }

    fn parse(text: &str) -> Result<Address, String> {
        let given = Given(HashMap::from([("USER", "me@here"), ("HOSTS", "a:1,b"), ("/run/password", "hu:sh/?%")]));
        Address::parse(text, &given).map_err(|error| error.to_string())
    }

    fn servers(address: &Address) -> Vec<&str> {
        address.settings.servers.iter().map(String::as_str).collect()
    }

    #[test]
    fn the_shortest_address_is_a_host_and_a_bucket() {
        let address = parse("nats://broker/config").unwrap();
        assert_eq!((servers(&address), address.bucket(), address.key()), (vec!["nats://broker"], "config", KEY));
        assert_eq!(address.to_string(), "nats://broker/config/callgate.yaml");
        assert_eq!(parse("nats://broker/config/").unwrap().key(), KEY);
    }

    #[test]
    fn servers_keys_and_options_are_read() {
        let address = parse("tls://a:4443,b/config/eu/gate.yaml?tls_first=true&inbox_prefix=_I_%41").unwrap();
        assert_eq!((servers(&address), address.key()), (vec!["tls://a:4443", "tls://b"], "eu/gate.yaml"));
        assert_eq!(address.place(), "tls://a:4443,b/config");
        assert!(address.settings.tls.as_ref().unwrap().first);
        assert_eq!(address.settings.inbox_prefix.as_deref(), Some("_I_A"));
    }

    #[test]
    fn references_stand_for_themselves_and_credentials_are_shown_nowhere() {
        for text in
            ["nats://${USER}:${file:/run/password}@${HOSTS}/config", "nats://me%40here:hu%3Ash%2F%3F%25@a:1,b/config"]
        {
            let address = parse(text).unwrap();
            let Credentials { user, password, .. } = &address.settings.credentials;
            assert_eq!(user.as_deref(), Some("me@here"));
            assert_eq!(password.as_ref().unwrap().expose(), "hu:sh/?%");
            assert_eq!(servers(&address), ["nats://a:1", "nats://b"]);
            let shown = format!("{address} {} {address:?}", address.place());
            assert!(!shown.contains("hu:sh"), "{shown}");
        }
        let token = parse("nats://hush@broker/config").unwrap();
        assert_eq!(token.settings.credentials.token.as_ref().unwrap().expose(), "hush");
        assert!(!format!("{token} {token:?}").contains("hush"));
    }

    #[test]
    fn what_is_wrong_is_told_without_repeating_the_address() {
        for (text, told) in [
            ("nats://u:hush@broker", "names no bucket"),
            ("nats://u:hush@broker/", "names no bucket"),
            ("nats://u:hush@/config", "names no host"),
            ("nats://u:hush@broker/con fig", "no name of a bucket"),
            ("nats://u:hush@broker/config/.hidden", "no key of a bucket"),
            ("nats://u:hush@broker/config?cred=x", "the option `cred`, which is unknown"),
            ("nats://broker/config?creds=/no/such", "/no/such"),
            ("nats://u:hush@broker/config?tls_first=yes", "neither true nor false"),
            ("nats://u:hush@broker/config?nkey=SUA", "the gateway can only be one user"),
            ("nats://u:${NONE}@broker/config", "the environment variable `NONE` is not set"),
            ("nats://u:${file:/none}@broker/config", "cannot read the file `/none`"),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.contains(told) && error.contains("help: ") && !error.contains("hush"), "{text}: {error}");
        }
    }
}
