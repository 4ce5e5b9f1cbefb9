//! What of a snapshot the next one can go on with.

use std::{collections::BTreeSet, sync::Arc};

use tokio::runtime::Handle;

use super::{Connected, Snapshot, discovery::Discovery, triggers::Active};
use crate::{document::Node, observe::Observers, upstream::Files};

/// What an upstream or a trigger was made of: where nothing of it has changed, what was connected goes on.
#[derive(Debug)]
pub(super) struct MadeOf {
    /// What stands in the document, with references filled in.
    pub(super) settings: Node,
    /// The files that were read.
    pub(super) files: Files,
}

/// The snapshot in force, as the next one finds it.
pub(super) struct Former {
    snapshot: Option<Arc<Snapshot>>,
    /// Upstreams and triggers whose files have changed.
    stale: Stale,
}

#[derive(Default)]
struct Stale {
    upstreams: BTreeSet<String>,
    triggers: BTreeSet<String>,
}

impl Former {
    /// There is none.
    pub(super) fn none() -> Self {
        Self { snapshot: None, stale: Stale::default() }
    }

    /// Looks whether the files of a snapshot have changed.
    pub(super) async fn of(snapshot: Arc<Snapshot>, background: &Handle) -> Self {
        let looked_at = Arc::clone(&snapshot);
        let stale = background.spawn_blocking(move || Stale::of(&looked_at)).await;
        // Nothing is gone on with where that can't be told.
        let snapshot = stale.is_ok().then_some(snapshot);
        Self { snapshot, stale: stale.unwrap_or_default() }
    }

    /// Who is told of requests, which stays the same.
    pub(super) fn observers(&self) -> Observers {
        self.snapshot.as_ref().map(|snapshot| snapshot.observers.clone()).unwrap_or_default()
    }

    /// The upstream of this name, if it is made of the same.
    pub(super) fn upstream(&self, name: &str, settings: &Node) -> Option<&Arc<Connected>> {
        let connected = self.snapshot.as_ref()?.upstreams.get(name)?;
        let same = !self.stale.upstreams.contains(name) && connected.made_of.settings.says_the_same(settings);
        same.then_some(connected)
    }

    /// The trigger of this name, if it is made of the same.
    pub(super) fn trigger(&self, name: &str, settings: &Node) -> Option<&Active> {
        let mut triggers = self.snapshot.as_ref()?.triggers.iter();
        let active = triggers.find(|active| &**active.runner.name() == name)?;
        let same = !self.stale.triggers.contains(name) && active.made_of.settings.says_the_same(settings);
        same.then_some(active)
    }

    /// How the upstream of this name was asked for its functions, if it goes on.
    pub(super) fn discovery(&self, name: &str, connected: &Arc<Connected>) -> Option<&Discovery> {
        self.has(connected).then(|| self.snapshot.as_ref()?.discoveries.get(name)).flatten()
    }

    /// Whether an upstream is one of the former snapshot.
    pub(super) fn has(&self, connected: &Arc<Connected>) -> bool {
        self.snapshot
            .as_ref()
            .is_some_and(|snapshot| snapshot.upstreams.values().any(|one| Arc::ptr_eq(one, connected)))
    }

    /// Whether a trigger is one of the former snapshot.
    pub(super) fn has_trigger(&self, active: &Active) -> bool {
        let triggers = self.snapshot.as_ref().map(|snapshot| snapshot.triggers.as_slice()).unwrap_or_default();
        triggers.iter().any(|one| Arc::ptr_eq(&one.runner, &active.runner))
    }
}

impl Stale {
    fn of(snapshot: &Snapshot) -> Self {
        let upstreams = snapshot.upstreams.iter().filter(|(_, connected)| connected.made_of.files.changed());
        let triggers = snapshot.triggers.iter().filter(|active| active.made_of.files.changed());
        Self {
            upstreams: upstreams.map(|(name, _)| name.clone()).collect(),
            triggers: triggers.map(|active| active.runner.name().to_string()).collect(),
        }
    }
}
