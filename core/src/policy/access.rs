//! Who may come in and how often, from the settings of a route to its [`Admission`].

use std::{
    cell::RefCell,
    collections::{HashMap, VecDeque},
    sync::Arc,
};

use serde_json::{Map, Value};

use super::{
    admission::Admission,
    auth::{Auth, AuthPlan, AuthSettings, LastKeys, Passwords, Sources},
    rate_limit::{Buckets, RateLimit, RateLimitPlan, Shared},
    settings::PolicySettings,
};
use crate::{
    document::{DocPath, Flaw, Node, Secret},
    remote::Remotes,
    upstream::{Context, Files, Invalid, flaw},
};

/// What policies remember over reloads: counts, the last keys of issuers, and which passwords were right.
#[derive(Debug, Clone, Default)]
pub(crate) struct Memory {
    buckets: Buckets,
    last_keys: LastKeys,
    passwords: Passwords,
}

/// What was made of the settings of `auth` so far: as a rule many routes have the same ones, which stand around them.
#[derive(Debug, Default)]
pub(crate) struct Resolved(RefCell<VecDeque<(AuthSettings, Option<Arc<AuthPlan>>)>>);

impl Resolved {
    /// How many different settings are remembered.
    const MOST: usize = 64;

    fn resolve(&self, settings: &AuthSettings, files: &Files) -> Result<Option<Arc<AuthPlan>>, Invalid> {
        if let Some((_, plan)) = self.0.borrow().iter().find(|(known, _)| known == settings) {
            return Ok(plan.clone());
        }
        let plan = settings.resolve(files)?.map(Arc::new);
        let mut known = self.0.borrow_mut();
        known.truncate(Self::MOST - 1);
        known.push_front((settings.clone(), plan.clone()));
        Ok(plan)
    }
}

/// Who may come in and how often, checked.
#[derive(Debug)]
pub(crate) struct AccessPlan {
    auth: Option<Arc<AuthPlan>>,
    rate_limit: Option<RateLimitPlan>,
    /// The settings with their defaults, for `callgate config`.
    effective: Map<String, Value>,
    /// Where the route stands, for what loading finds wrong.
    node: Node,
    path: DocPath,
}

impl PolicySettings {
    /// Says on which level these settings are written: a limit is one of all requests that reach it.
    pub(crate) fn placed(mut self, scope: &str) -> Self {
        if let Some(limit) = &mut self.rate_limit {
            limit.place(scope);
        }
        self
    }

    /// These settings for messages of triggers, which the document itself lets in.
    pub(crate) fn without_access(mut self) -> Self {
        (self.auth, self.rate_limit) = (None, None);
        self
    }

    /// Checks the settings of a route, which `node` is at `path`; `None` when everyone may come in as often as they
    /// like. What is wrong in a level around it is told once.
    pub(crate) fn access(
        &self,
        node: &Node,
        path: &DocPath,
        (files, known): (&Files, &Resolved),
        flaws: &mut Vec<Flaw>,
    ) -> Option<Arc<AccessPlan>> {
        if self.auth.is_none() && self.rate_limit.is_none() {
            return None;
        }
        let mut told = |name: &str, invalid: Invalid| {
            if node.lacks_reference() || flaws.iter().any(|flaw| flaw.message == invalid.message) {
                return;
            }
            let own = node.get(name);
            flaws.push(flaw(own.unwrap_or(node), &path.key(name), invalid));
        };
        let mut effective = Map::new();
        let mut resolved = |name: &str, settings: Value| effective.insert(name.to_owned(), settings);
        let auth = self.auth.as_ref().and_then(|auth| {
            resolved("auth", serde_json::to_value(auth.effective()).unwrap_or_default());
            known.resolve(auth, files).unwrap_or_else(|invalid| {
                told("auth", invalid);
                None
            })
        });
        let rate_limit = self.rate_limit.as_ref().and_then(|limit| {
            let plan = limit.resolve().unwrap_or_else(|invalid| {
                told("rate_limit", invalid);
                None
            });
            if plan.is_some() {
                resolved("rate_limit", serde_json::to_value(limit.effective()).unwrap_or_default());
            }
            plan
        });
        Some(Arc::new(AccessPlan { auth, rate_limit, effective, node: node.clone(), path: path.clone() }))
    }
}

impl AccessPlan {
    /// What is wrong where no listener asks its clients for certificates, and `auth` does.
    pub(crate) fn without_certificates(&self) -> Option<Flaw> {
        self.auth.as_ref().filter(|auth| auth.asks_for_certificates())?;
        let invalid = Invalid::new("`mtls` lets nobody in: no listener asks its clients for a certificate")
            .hint("give a listener the authority that signs them: `tls: {client_ca: clients.pem, ...}`");
        Some(flaw(self.node.get("auth").unwrap_or(&self.node), &self.path.key("auth"), invalid))
    }

    /// Whether it is limited how often clients may come.
    pub(crate) const fn limits(&self) -> bool {
        self.rate_limit.is_some()
    }

    /// Whether it is found out who comes.
    pub(crate) const fn finds_out(&self) -> bool {
        self.auth.is_some()
    }

    /// The settings in force, by policy.
    pub(crate) const fn effective(&self) -> &Map<String, Value> {
        &self.effective
    }
}

/// What builds the admissions of a configuration, and what they share.
pub(crate) struct Entrance<'a> {
    sources: Sources<'a>,
    buckets: &'a Buckets,
    shared: HashMap<(Secret, std::time::Duration), Arc<Shared>>,
    /// By the address of its plan, which the plans of the routes keep.
    auths: HashMap<usize, (Arc<AuthPlan>, Arc<Auth>)>,
}

impl<'a> Entrance<'a> {
    pub(crate) fn new(remotes: &'a Arc<dyn Remotes>, context: &'a Context, memory: &'a Memory) -> Self {
        let sources = Sources::new(remotes, context, (&memory.last_keys, &memory.passwords));
        Self { sources, buckets: &memory.buckets, shared: HashMap::new(), auths: HashMap::new() }
    }

    /// The admission of a route; `None` when it has nothing to say.
    pub(crate) fn admission(&mut self, plan: Option<&AccessPlan>) -> Result<Option<Arc<Admission>>, Box<Flaw>> {
        let Some(plan) = plan else { return Ok(None) };
        let wrong = |name: &str, invalid: Invalid| {
            let own = plan.node.get(name);
            Box::new(flaw(own.unwrap_or(&plan.node), &plan.path.key(name), invalid))
        };
        let auth = plan.auth.as_ref().map(|auth| self.auth(auth)).transpose();
        let auth = auth.map_err(|invalid| wrong("auth", invalid))?;
        let limit = plan.rate_limit.as_ref().map(|limit| self.rate_limit(limit)).transpose();
        let rate_limit = limit.map_err(|invalid| wrong("rate_limit", invalid))?;
        let any = auth.is_some() || rate_limit.is_some();
        Ok(any.then(|| Arc::new(Admission { auth, rate_limit })))
    }

    fn auth(&mut self, plan: &Arc<AuthPlan>) -> Result<Arc<Auth>, Invalid> {
        let key = Arc::as_ptr(plan).addr();
        if let Some((_, auth)) = self.auths.get(&key) {
            return Ok(Arc::clone(auth));
        }
        let auth = Arc::new(Auth::new(plan, &self.sources)?);
        self.auths.insert(key, (Arc::clone(plan), Arc::clone(&auth)));
        Ok(auth)
    }

    fn rate_limit(&mut self, plan: &RateLimitPlan) -> Result<RateLimit, Invalid> {
        let shared = plan.shared().map(|(url, timeout)| self.shared(url, timeout)).transpose()?;
        Ok(RateLimit::new(plan.clone(), shared, self.buckets))
    }

    fn shared(&mut self, url: &Secret, timeout: std::time::Duration) -> Result<Arc<Shared>, Invalid> {
        let key = (url.clone(), timeout);
        if let Some(shared) = self.shared.get(&key) {
            return Ok(Arc::clone(shared));
        }
        let counters =
            self.sources.remotes.counters(url, self.sources.context).map_err(|invalid| invalid.at("shared"))?;
        let shared = Arc::new(Shared::new(counters, timeout));
        self.shared.insert(key, Arc::clone(&shared));
        Ok(shared)
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use serde_json::{from_value, json};

    use super::*;

    #[test]
    fn routes_with_the_same_settings_share_what_is_made_of_them() {
        let known = Resolved::default();
        let made = |key: &str| {
            let settings: AuthSettings = from_value(json!({"api_key": {"keys": {"shop": key}}})).unwrap();
            known.resolve(&settings, &Files::new(Path::new("."))).unwrap().unwrap()
        };
        let (one, other, same) = (made("a"), made("b"), made("a"));
        assert!(Arc::ptr_eq(&one, &same) && !Arc::ptr_eq(&one, &other));
        (0..Resolved::MOST).for_each(|number| drop(made(&format!("key {number}"))));
        assert_eq!(known.0.borrow().len(), Resolved::MOST);
    }
}
