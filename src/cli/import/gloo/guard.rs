//! What decides in Gloo who is let in: none of it has a counterpart that could be written from there.

use serde_json::{Map, Value};

use crate::cli::import::draft::Draft;

/// The options that do not decide who is let in. What is not known here may.
const HARMLESS: [&str; 33] = [
    "ai",
    "appendXForwardedHost",
    "autoHostRewrite",
    "bufferPerRoute",
    "cors",
    "corsPolicyMergeSettings",
    "csrf",
    "dlp",
    "envoyMetadata",
    "faults",
    "headerManipulation",
    "hostRewrite",
    "hostRewriteHeader",
    "hostRewritePathRegex",
    "idleTimeout",
    "includeAttemptCountInResponse",
    "includeRequestAttemptCount",
    "lbHash",
    "maxStreamDuration",
    "prefixRewrite",
    "ratelimit",
    "ratelimitBasic",
    "rateLimitConfigs",
    "regexRewrite",
    "retries",
    "shadowing",
    "stagedTransformations",
    "stats",
    "timeout",
    "tracing",
    "transformations",
    "upgrades",
    "waf",
];

/// The options of a virtual host or a route that may decide who is let in.
pub(super) fn names(options: &Value) -> impl Iterator<Item = &str> {
    let options = options.as_object().into_iter().flatten().filter(|(_, value)| !value.is_null());
    options.map(|(name, _)| name.as_str()).filter(|name| !HARMLESS.contains(name))
}

/// What stands before all routes of a virtual host.
#[derive(Debug)]
pub(super) struct Guards<'a>(Vec<&'a str>);

impl<'a> Guards<'a> {
    pub(super) fn of_host(of: &str, host: &'a Value, tls: &Value, draft: &mut Draft) -> Self {
        let options = &host["options"];
        let mut guards: Vec<_> = names(options).collect();
        draft.left_fields(&format!("{of}, its options"), options, &guards);
        guards.extend(host["optionsConfigRefs"].is_object().then_some("optionsConfigRefs"));
        let certificates = tls["verifySubjectAltName"].as_array().is_some_and(|names| !names.is_empty());
        guards.extend(certificates.then_some("sslConfig.verifySubjectAltName"));
        Self(guards)
    }

    /// Closes a route that something stands before, its own or its host's; `extauth: {disable: true}` lifts that of the host.
    pub(super) fn apply(&self, of: &str, route: &Value, made: &mut Map<String, Value>, draft: &mut Draft) {
        let options = &route["options"];
        let lifted = |name: &str| options[name]["disable"] == true;
        let referred = route["optionsConfigRefs"].is_object().then_some("optionsConfigRefs");
        let own = names(options).chain(referred);
        for name in self.0.iter().copied().chain(own).filter(|name| !lifted(name)) {
            draft.close(of, &format!("`{name}`, which may decide who is let in"), made);
        }
    }
}
