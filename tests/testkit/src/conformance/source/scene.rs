//! A gateway whose trigger takes messages from the source.

use std::{sync::Arc, time::Duration};

use callgate_core::{Snapshot, document::Document, plan::Plan};
use libtest_mimic::Failed;
use tokio::runtime::Handle;

use super::{
    Source,
    functions::{Act, Call, Functions, Stage},
};
use crate::{gateway::Files, peers::until};

/// How long anything may take on a loaded machine.
const LIMIT: Duration = Duration::from_secs(60);

/// The trigger `work`, whose function is `work` and whose dead letter, where it has one, is `dead`.
pub(super) struct Scene {
    pub(super) stage: Arc<Stage>,
    pub(super) snapshot: Snapshot,
}

impl Scene {
    /// Starts a gateway; `options` are the trigger's beside source and function.
    pub(super) async fn start<F: Source>(
        source: &F,
        options: &str,
        acts: &[(&'static str, Act)],
    ) -> Result<Self, Failed> {
        let (number, stage) = Stage::new(acts);
        let yaml = format!(
            "upstreams: {{suite: {{suite: {{stage: {number}}}}}}}\ntriggers: {{work: {{{}, to: suite/work, timeout: 1m, {options}}}}}\n",
            source.trigger()
        );
        let document = Document::parse("suite.yaml", &yaml, &Files).map_err(|report| report.to_string())?;
        let plan = Plan::read(&document, &F::registry().with::<Functions>()).map_err(|report| report.to_string())?;
        let snapshot = Snapshot::load(plan, &Handle::current()).await.map_err(|error| error.to_string())?;
        snapshot.start_triggers();
        Ok(Self { stage, snapshot })
    }

    /// Waits until a function got so many calls, and gives them.
    pub(super) async fn called(&self, function: &str, times: usize) -> Result<Vec<Call>, Failed> {
        if !until(LIMIT, async || self.stage.calls(function).len() >= times).await {
            return Err(format!("`{function}` was not called {times} times: {:?}", self.stage.calls(function)).into());
        }
        Ok(self.stage.calls(function))
    }

    /// The trouble of the source, if it has any.
    pub(super) async fn trouble(&self) -> Option<String> {
        let ready = self.snapshot.triggers_ready().await;
        ready.get("work").and_then(|ready| ready.as_ref().err()).map(ToString::to_string)
    }

    /// Waits until the source has trouble, or has none.
    pub(super) async fn until_trouble(&self, wanted: bool) -> Result<(), Failed> {
        if until(LIMIT, async || self.trouble().await.is_some() == wanted).await {
            return Ok(());
        }
        Err(format!("the source has trouble still, or none: {:?}", self.trouble().await).into())
    }
}

/// Waits until the source has so many messages left.
pub(super) async fn left<F: Source>(source: &mut F, wanted: usize) -> Result<(), Failed> {
    let mut last = Ok(0);
    let came = until(LIMIT, async || {
        last = source.left().await;
        last == Ok(wanted)
    });
    if came.await { Ok(()) } else { Err(format!("{wanted} messages are to be left, and it says {last:?}").into()) }
}
