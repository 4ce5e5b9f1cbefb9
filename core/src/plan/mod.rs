//! The checked form of a configuration: what can't be right is not in it, and nothing is connected yet.

mod access_log;
mod at_start;
mod described;
mod destination;
mod discover;
mod effective;
mod explain;
mod hosts;
mod idle;
mod listener;
mod matcher;
mod opaque;
mod outcome;
mod redirect;
mod render;
mod route;
mod schema;
mod search;
mod sent;
mod steps;
mod telemetry;
mod top;
mod trial;
mod trigger;
mod upstream;
mod yaml;

#[cfg(test)]
mod tests;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

pub use access_log::AccessLog;
pub use at_start::AtStart;
pub use explain::{Explanation, Passed};
pub use listener::{
    Address, CertificateFiles, ClientAuth, InvalidAddress, InvalidTlsVersion, Listener, ListenerTls, TlsVersion,
};
pub use outcome::Outcome;
pub use render::{Attempt, AttemptError, Rendered};
pub use schema::schema;
pub use telemetry::{Collector, OtlpProtocol};
pub use trial::{Difference, TestReport, TestResult};
pub use yaml::to_yaml;

pub(crate) use destination::{Action, DestinationPlan};
pub(crate) use discover::Selection;
pub(crate) use route::RoutePlan;
pub(crate) use trigger::{NamedPlan, TargetPlan, TriggerPlan};
pub(crate) use upstream::UpstreamPlan;
pub(crate) use yaml::scalar;

use crate::{
    document::{DocPath, Document, Flaw, Masks, Node, References, Report, Secret, Sources, Span, Texts},
    policy::Memory,
    registry::Registry,
    remote::Remotes,
    routing::RouteTable,
};

/// A configuration that was read and checked, without network.
#[derive(Debug)]
pub struct Plan {
    pub(crate) listeners: Vec<Listener>,
    pub(crate) admin: Option<Address>,
    admin_token: Option<Secret>,
    access_log: Option<AccessLog>,
    collector: Option<Collector>,
    at_start: AtStart,
    pub(crate) shutdown: Shutdown,
    pub(crate) upstreams: BTreeMap<String, UpstreamPlan>,
    pub(crate) routes: Vec<RoutePlan>,
    pub(crate) triggers: Vec<TriggerPlan>,
    pub(crate) table: RouteTable<usize>,
    pub(crate) directory: PathBuf,
    pub(crate) remotes: Arc<dyn Remotes>,
    pub(crate) memory: Memory,
    pub(crate) effective: serde_json::Value,
    /// The tests at the top of the document.
    tests: Vec<trial::Trial>,
    report: Report,
    sources: Arc<Sources>,
    pub(crate) masks: Masks,
    /// What stands under `listeners`, for what is found wrong with them later.
    listener_settings: Option<Node>,
}

/// How the gateway stops on SIGTERM.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shutdown {
    /// How long it serves on while it says that it is not ready. Default 5s.
    pub lame_duck: Duration,
    /// How long requests that run may take then. Default 30s.
    pub grace: Duration,
}

impl Plan {
    /// Reads a document into a plan.
    ///
    /// # Errors
    /// Everything that is wrong with the document, at once.
    pub fn read(document: &Document, registry: &Registry) -> Result<Self, Report> {
        Self::read_on(document, Vec::new(), registry)
    }

    /// Reads a configuration from a file, or from all files of a folder.
    ///
    /// # Errors
    /// Everything that is wrong with it, missing references and all else at once.
    pub fn load(path: &Path, references: &dyn References, registry: &Registry) -> Result<Self, Report> {
        let (document, missing) = Document::survey(path, references)?;
        Self::read_on(&document, missing, registry)
    }

    /// Reads a configuration from texts that are no files; `first` is the one that includes the others.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    pub fn load_texts(
        texts: &Texts,
        first: &str,
        references: &dyn References,
        registry: &Registry,
    ) -> Result<Self, Report> {
        let (document, missing) = Document::survey_texts(texts, first, references)?;
        Self::read_on(&document, missing, registry)
    }

    fn read_on(document: &Document, mut flaws: Vec<Flaw>, registry: &Registry) -> Result<Self, Report> {
        flaws.extend(top::empty(document.root()));
        let root = top::Root::read(document.root(), &mut flaws);
        let directory = document.folder(Span::default()).to_owned();
        let named = document.sources().named();
        let upstreams = upstream::read_all(document.root(), &directory, named, registry, &mut flaws);
        let known = upstream::known(document.root(), &upstreams);
        let routes = route::read_all(document, &root, &known, &mut flaws);
        let triggers = trigger::read_all(document, &root, registry, &known, &routes, &mut flaws);
        let tests = trial::read_all(document.root().get("tests"), &self::root().key("tests"), &mut flaws);
        let all_tests = tests.iter().chain(routes.iter().flat_map(|route| &route.tests));
        flaws.extend(trial::unknown_routes(all_tests, &routes));
        let listeners = listener::read_all(&root, document.root(), &directory, &mut flaws);
        flaws.extend(route::without_certificates(&root, &routes));
        flaws.extend(idle::around_routes(document.root()));
        let rules = routes.iter().enumerate().map(|(index, route)| route.rule(index)).collect();
        let table = RouteTable::build(rules);
        flaws.extend(route::unreachable(&table, &routes));
        if routes.is_empty() && triggers.is_empty() && flaws.is_empty() {
            flaws.push(top::without_routes(document.root()));
        }
        let access_log =
            root.access_log.as_ref().and_then(|log| AccessLog::read(log, document.root(), &directory, &mut flaws));
        let collector =
            root.telemetry.as_ref().and_then(|settings| Collector::read(settings, document.root(), &mut flaws));
        let at_start = AtStart::of(&root, collector.as_ref());
        let effective = document.mask(effective::document(&root, &upstreams, &routes, &triggers));
        for file in listeners.iter().filter_map(|listener| listener.tls.as_ref()).flat_map(ListenerTls::files) {
            named.note(file);
        }
        let report = document.report(flaws);
        if report.has_errors() {
            return Err(report);
        }
        Ok(Self {
            listeners,
            admin: root.admin,
            admin_token: root.admin_token,
            access_log,
            collector,
            at_start,
            shutdown: root.shutdown,
            upstreams,
            routes,
            triggers,
            table,
            directory,
            remotes: Arc::clone(registry.remotes()),
            memory: registry.memory().clone(),
            effective,
            tests,
            report,
            sources: Arc::clone(document.sources()),
            masks: document.masks.clone(),
            listener_settings: document.root().get("listeners").cloned(),
        })
    }

    /// What deserves attention although the configuration is valid.
    pub fn warnings(&self) -> &Report {
        &self.report
    }

    /// The texts that flaws point into, and all files that the configuration names.
    pub fn sources(&self) -> Arc<Sources> {
        Arc::clone(&self.sources)
    }

    /// A text for people without the values that the document's references gave.
    pub fn masked(&self, text: &str) -> String {
        self.masks.text(text).unwrap_or_else(|| text.to_owned())
    }

    /// What the configuration holds, in a few words: `2 upstreams, 5 routes`.
    pub fn summary(&self) -> String {
        let count = |number: usize, what: &str| {
            let plural = if number == 1 { "" } else { "s" };
            format!("{number} {what}{plural}")
        };
        let listeners = count(self.listeners.len(), "listener");
        let routes = count(self.routes.len(), "route");
        let triggers = match self.triggers.len() {
            0 => String::new(),
            number => format!(", {}", count(number, "trigger")),
        };
        format!("{listeners}, {}, {routes}{triggers}", count(self.upstreams.len(), "upstream"))
    }

    /// Host, match, destination and name of every route, in the order in which they are tried.
    pub fn route_list(&self) -> Vec<[String; 4]> {
        let routes = self.table.order().filter_map(|rule| self.routes.get(rule.value));
        routes
            .map(|route| {
                let host = route.host.as_ref().map_or_else(|| "any".to_owned(), ToString::to_string);
                let shown = |text: String| self.masks.text(&text).unwrap_or(text);
                [host, shown(route.matcher.to_string()), shown(route.shown()), route.info.name.to_string()]
            })
            .collect()
    }

    /// The listeners, by name.
    pub fn listeners(&self) -> &[Listener] {
        &self.listeners
    }

    /// A report on files of `tls` that can't be what they should be: the listener's name, which of the certificates it is
    /// about, the field, and why.
    pub fn refused_tls<'a>(
        &self,
        wrong: impl IntoIterator<Item = (&'a str, Option<usize>, &'a str, String)>,
    ) -> Report {
        let flaw = |(listener, certificate, field, message): (&str, Option<usize>, &str, String)| {
            let mut path = root().key("listeners").key(listener).key("tls");
            let settings = self.listener_settings.as_ref().and_then(|listeners| listeners.get(listener));
            let mut tls = settings.and_then(|settings| settings.get("tls"));
            let listed = tls.and_then(|tls| tls.get("certificates"));
            if let Some((listed, index)) = listed.zip(certificate) {
                path = path.key("certificates").index(index);
                tls = listed.items().get(index);
            }
            let path = path.key(field);
            let written = tls.and_then(|tls| tls.get(field));
            Flaw::error(written.map_or(Span::default(), |field| field.at), &path, self.masked(&message))
        };
        let flaws = wrong.into_iter().map(flaw);
        Report::new(flaws.collect(), Arc::clone(&self.sources))
    }

    /// The admin listener's address, if there is one.
    pub fn admin(&self) -> Option<&Address> {
        self.admin.as_ref()
    }

    /// What the admin demands of who asks it, if it demands anything.
    pub fn admin_token(&self) -> Option<&Secret> {
        self.admin_token.as_ref()
    }

    /// The access log, if there is one.
    pub fn access_log(&self) -> Option<&AccessLog> {
        self.access_log.as_ref()
    }

    /// The collector that traces and metrics go to, if there is one.
    pub fn collector(&self) -> Option<&Collector> {
        self.collector.as_ref()
    }

    /// How the gateway stops.
    pub fn shutdown(&self) -> Shutdown {
        self.shutdown
    }

    /// The document as it is in force: defaults filled in, secrets masked.
    pub fn effective(&self) -> &serde_json::Value {
        &self.effective
    }
}

/// The path of the document itself.
pub(crate) const fn root() -> DocPath {
    DocPath::root()
}

/// Takes a result apart: the value, or the flaws into the list.
pub(crate) fn keep<T>(result: Result<T, Vec<Flaw>>, flaws: &mut Vec<Flaw>) -> Option<T> {
    match result {
        Ok(value) => Some(value),
        Err(found) => {
            flaws.extend(found);
            None
        }
    }
}
