//! One reload, from reading to swapping.

use std::{
    sync::Arc,
    time::{Instant, SystemTime},
};

use callgate_core::{Dropped, LoadError, Reloaded as Ready, Snapshot, plan::Plan};
use tracing::{error, info, warn};

use super::{Cause, InForce, Outcome, Reload, Shared, outcome::Reloaded, read::read};
use crate::{
    server::{Prepared, ServerError},
    source::Fetched,
};

/// Why nothing changes.
type NotReloaded = Outcome;

impl Shared {
    /// Reloads, tells the log, and remembers it. Blocks its thread where it reads files.
    pub(super) async fn attempt(self: Arc<Self>, at: SystemTime, started: Instant, cause: Cause) -> Arc<Reload> {
        let mut in_force = self.in_force.lock().await;
        // What is asked for from now on may be about what is not read any more.
        self.waiting().take();
        let mut revision = None;
        let outcome = match self.try_to_reload(&mut in_force, &mut revision).await {
            Ok(reloaded) => Outcome::Reloaded(Box::new(reloaded)),
            Err(outcome) => outcome,
        };
        self.remember(Reload { at, took: started.elapsed(), cause, revision, outcome })
    }

    /// Tells the log of a reload, and remembers it.
    pub(super) fn remember(&self, reload: Reload) -> Arc<Reload> {
        let reload = self.history.add(reload);
        log(&reload);
        reload
    }

    async fn try_to_reload(
        self: &Arc<Self>,
        in_force: &mut InForce,
        revision: &mut Option<u64>,
    ) -> Result<Reloaded, NotReloaded> {
        if self.ending.is_cancelled() {
            return Err(shutting_down());
        }
        let fetched = self.source.fetch().await.map_err(|error| Outcome::Impossible(error.to_string()))?;
        *revision = fetched.revision();
        let (plan, prepared) = self.prepare(&fetched)?;
        let named = Arc::clone(plan.sources().named());
        let next = InForce::of(&plan);
        let warnings = plan.warnings().clone();
        let reloaded = Snapshot::reload(plan, self.gateway.snapshot(), &self.background).await;
        // Only now it has the files that upstreams named while they were connected.
        self.named.send_replace(named);
        let reloaded = match reloaded {
            Ok(reloaded) => reloaded,
            Err(LoadError::Invalid(report)) => return Err(Outcome::Invalid(report)),
            Err(other) => return Err(Outcome::Impossible(other.to_string())),
        };
        let (summary, changes) = (reloaded.snapshot().summary().to_owned(), reloaded.changes().clone());
        // Routes first: a listener that is new is never met by a configuration that does not know it.
        let dropped = match self.put_in_force(reloaded) {
            Ok(dropped) => dropped,
            Err(reloaded) => {
                reloaded.abandon().await;
                return Err(shutting_down());
            }
        };
        for bound in prepared.added() {
            info!(listener = &*bound.listener, address = %bound.address, "Listening.");
        }
        // Whoever has the former token is locked out from now on.
        self.admin_token.store(next.admin_token.clone().map(Arc::new));
        let listeners = self.listeners.apply(prepared).await;
        self.retire(dropped, next.shutdown.grace);
        self.shutdown.send_replace(next.shutdown);
        let needs_restart = in_force.waiting(&next);
        in_force.shutdown = next.shutdown;
        Ok(Reloaded { summary, changes, listeners, needs_restart, warnings })
    }

    /// Puts a snapshot in force, unless the gateway ends: nobody would drain its triggers.
    fn put_in_force(&self, reloaded: Ready) -> Result<Dropped, Box<Ready>> {
        let _swapping = self.swapping();
        if self.ending.is_cancelled() { Err(Box::new(reloaded)) } else { Ok(reloaded.put_in_force(&self.gateway)) }
    }

    /// Reads all that there is to read, and binds the listeners that are new.
    fn prepare(&self, fetched: &Fetched) -> Result<(Plan, Prepared), NotReloaded> {
        let plan = read(fetched, &self.registry).map_err(|report| {
            let named = report.sources().named();
            // What was named before may be what is wrong now.
            named.note_all(&self.named.borrow());
            self.named.send_replace(Arc::clone(named));
            Outcome::Invalid(report)
        })?;
        let prepared = self.listeners.prepare(plan.listeners()).map_err(|error: ServerError| {
            self.named.send_replace(Arc::clone(plan.sources().named()));
            Outcome::Impossible(error.to_string())
        })?;
        Ok((plan, prepared))
    }
}

fn shutting_down() -> Outcome {
    Outcome::Impossible("the gateway is shutting down".to_owned())
}

fn log(reload: &Reload) {
    let cause = reload.cause.name();
    let revision = reload.revision;
    let took_ms = u64::try_from(reload.took.as_millis()).unwrap_or(u64::MAX);
    match &reload.outcome {
        Outcome::Reloaded(reloaded) => {
            for flaw in reloaded.warnings.flaws() {
                warn!(at = reloaded.warnings.sources().place(flaw.at), path = flaw.path, "{}", flaw.message);
            }
            let (upstreams, triggers) = (&reloaded.changes.upstreams, &reloaded.changes.triggers);
            info!(
                cause,
                revision,
                took_ms,
                upstreams_reused = upstreams.reused.len(),
                upstreams_opened = upstreams.opened.len(),
                upstreams_closed = upstreams.closed.len(),
                triggers_reused = triggers.reused.len(),
                triggers_opened = triggers.opened.len(),
                triggers_closed = triggers.closed.len(),
                listeners_added = reloaded.listeners.added.len(),
                listeners_removed = reloaded.listeners.removed.len(),
                "The configuration was reloaded: {}.",
                reloaded.summary
            );
            if !reloaded.needs_restart.is_empty() {
                let settings = reloaded.needs_restart.join(", ");
                warn!(settings, "These settings have changed and take effect when the gateway is started again.");
            }
        }
        Outcome::Invalid(report) => {
            error!(cause, revision, took_ms, report = %report.brief(), "The configuration can't be reloaded; the former one stays in force.");
        }
        Outcome::Broken => {
            error!(cause, revision, took_ms, "A reload ended unexpectedly; the former configuration stays in force.");
        }
        Outcome::Impossible(reason) => {
            error!(
                cause,
                revision, took_ms, reason, "The configuration can't be reloaded; the former one stays in force."
            );
        }
    }
}
