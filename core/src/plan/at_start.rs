//! What a gateway takes over when it is started, and never again.

use super::{Address, Collector, Plan, top::Root};
use crate::document::Secret;

/// Settings that take effect when the gateway is started, as they really are: also where they are shown as `***`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct AtStart {
    admin: Option<Address>,
    /// What it says, in one text. Values of references are in it.
    access_log: Option<Secret>,
    telemetry: Option<Collector>,
}

impl AtStart {
    pub(super) fn of(root: &Root, collector: Option<&Collector>) -> Self {
        let access_log = root.access_log.as_ref().and_then(|log| serde_json::to_string(log).ok()).map(Secret::new);
        Self { admin: root.admin.clone(), access_log, telemetry: collector.cloned() }
    }

    /// The names of the settings in which another differs.
    #[must_use]
    pub fn differing(&self, other: &Self) -> Vec<&'static str> {
        let same = [
            ("admin", self.admin == other.admin),
            ("access_log", self.access_log == other.access_log),
            ("telemetry", self.telemetry == other.telemetry),
        ];
        same.into_iter().filter(|(_, same)| !same).map(|(name, _)| name).collect()
    }
}

impl Plan {
    /// What takes effect when the gateway is started.
    #[must_use]
    pub fn at_start(&self) -> &AtStart {
        &self.at_start
    }
}

#[cfg(test)]
mod tests {
    use crate::{
        Registry,
        document::{Document, System},
        plan::Plan,
    };

    fn plan(top: &str) -> Plan {
        let yaml = format!("{top}routes: [{{match: /a, respond: {{status: 204}}}}]\n");
        let document = Document::parse("test.yaml", &yaml, &System).unwrap_or_else(|report| panic!("{report}"));
        Plan::read(&document, &Registry::new()).unwrap_or_else(|report| panic!("{report}"))
    }

    #[test]
    fn what_is_shown_masked_differs_too() {
        let telemetry = |key: &str| {
            plan(&format!("telemetry: {{otlp: {{endpoint: 'http://127.0.0.1:4318', headers: {{x-key: {key}}}}}}}\n"))
        };
        let (one, other) = (telemetry("hush"), telemetry("other"));
        assert_eq!(one.effective(), other.effective());
        assert_eq!(one.at_start().differing(other.at_start()), ["telemetry"]);
        assert!(one.at_start().differing(telemetry("hush").at_start()).is_empty());
        assert!(!format!("{:?}", one.at_start()).contains("hush"), "{:?}", one.at_start());
    }

    #[test]
    fn the_admins_address_and_the_access_log_count_and_its_token_does_not() {
        let first = plan("admin: {address: '127.0.0.1:1', token: a}\n");
        let differing = |top: &str| first.at_start().differing(plan(top).at_start());
        assert!(differing("admin: {address: 'localhost:1', token: b}\n").is_empty());
        assert_eq!(differing("admin: {address: '127.0.0.2:1', token: a}\n"), ["admin"]);
        assert_eq!(differing("access_log: {}\n"), ["admin", "access_log"]);
    }
}
