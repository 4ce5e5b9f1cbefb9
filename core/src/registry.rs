//! The kinds that a gateway knows.

use std::{collections::BTreeMap, fmt, marker::PhantomData, sync::Arc};

use crate::{
    builtin::Echo,
    policy::Memory,
    remote::{NoRemotes, Remotes},
    trigger::{AnyTriggerKind, Trigger, TriggerKind},
    upstream::{AnyKind, Kind, Upstream},
};

/// The kinds of upstream that a configuration may use. Registration is explicit: what is not here does not exist.
///
/// ```
/// use callgate_core::Registry;
///
/// let registry = Registry::new();
/// assert_eq!(registry.kinds().map(|(name, _)| name).collect::<Vec<_>>(), ["echo"]);
/// ```
#[derive(Clone)]
pub struct Registry {
    kinds: BTreeMap<&'static str, Arc<dyn AnyKind>>,
    triggers: BTreeMap<&'static str, Arc<dyn AnyTriggerKind>>,
    remotes: Arc<dyn Remotes>,
    memory: Memory,
}

impl Registry {
    /// The kinds that need no crate of their own: `echo`.
    pub fn new() -> Self {
        let remotes = Arc::new(NoRemotes);
        Self { kinds: BTreeMap::new(), triggers: BTreeMap::new(), remotes, memory: Memory::default() }.with::<Echo>()
    }

    /// Adds a kind; one of the same name is replaced.
    #[must_use]
    pub fn with<U: Upstream>(mut self) -> Self {
        self.kinds.insert(U::KIND, Arc::new(Kind::<U>(PhantomData)));
        self
    }

    /// Adds a kind of source of messages; one of the same name is replaced. A kind of upstream may have the same name.
    #[must_use]
    pub fn with_trigger<T: Trigger>(mut self) -> Self {
        self.triggers.insert(T::KIND, Arc::new(TriggerKind::<T>(PhantomData)));
        self
    }

    /// Gives policies the clients by which they ask services beside the upstreams.
    #[must_use]
    pub fn with_remotes(mut self, remotes: impl Remotes) -> Self {
        self.remotes = Arc::new(remotes);
        self
    }

    pub(crate) fn remotes(&self) -> &Arc<dyn Remotes> {
        &self.remotes
    }

    /// What policies remember over reloads.
    pub(crate) const fn memory(&self) -> &Memory {
        &self.memory
    }

    /// Name and one-line summary of every kind of source of messages, by name.
    pub fn triggers(&self) -> impl Iterator<Item = (&'static str, &'static str)> {
        self.triggers.values().map(|kind| (kind.name(), kind.summary()))
    }

    /// Name and one-line summary of every kind, by name.
    pub fn kinds(&self) -> impl Iterator<Item = (&'static str, &'static str)> {
        self.kinds.values().map(|kind| (kind.name(), kind.summary()))
    }

    /// The names of the kinds whose upstreams can list their functions.
    pub fn discovering(&self) -> impl Iterator<Item = &'static str> {
        self.kinds.values().filter(|kind| kind.discovers()).map(|kind| kind.name())
    }

    pub(crate) fn get(&self, name: &str) -> Option<&Arc<dyn AnyKind>> {
        self.kinds.get(name)
    }

    pub(crate) fn trigger(&self, name: &str) -> Option<&Arc<dyn AnyTriggerKind>> {
        self.triggers.get(name)
    }

    pub(crate) fn iter_triggers(&self) -> impl Iterator<Item = &Arc<dyn AnyTriggerKind>> {
        self.triggers.values()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Arc<dyn AnyKind>> {
        self.kinds.values()
    }
}

impl Default for Registry {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registry").field("kinds", &self.kinds.keys()).field("triggers", &self.triggers.keys()).finish()
    }
}
