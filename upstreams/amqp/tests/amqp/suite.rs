//! Runs trials on a node that they share.

use std::{panic::AssertUnwindSafe, pin::Pin, sync::Arc, time::Duration};

use callgate_testkit::peers::RabbitMq;
use futures_util::{FutureExt, StreamExt, stream};
use libtest_mimic::Failed;
use tokio::time::timeout;

use crate::bed::Bed;

pub(crate) type Body = fn(Arc<Bed>) -> Pin<Box<dyn Future<Output = ()>>>;
pub(crate) type Trials = Vec<(&'static str, Body)>;

/// How long a trial may take.
const LIMIT: Duration = Duration::from_secs(240);

macro_rules! trials {
    ($($module:ident::$trial:ident,)*) => {
        vec![$((
            concat!(stringify!($module), "::", stringify!($trial)),
            (|bed| Box::pin($crate::$module::$trial(bed))) as $crate::suite::Body,
        )),*]
    };
}
pub(crate) use trials;

/// Runs them at once, on the broker that is given if there is one.
pub(crate) fn beside(trials: Trials) -> Result<(), Failed> {
    run(trials, usize::MAX, RabbitMq::given())
}

/// Runs one after the other, on a node of the test's own.
pub(crate) fn in_turn(trials: Trials) -> Result<(), Failed> {
    run(trials, 1, None)
}

fn run(trials: Trials, at_once: usize, given: Option<String>) -> Result<(), Failed> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(async {
        let Some(bed) = Bed::make(given).await else { return Ok(()) };
        let bed = Arc::new(bed);
        let done = stream::iter(trials)
            .map(|(name, body)| {
                let bed = Arc::clone(&bed);
                let work = async move {
                    bed.resume().await;
                    timeout(LIMIT, body(bed)).await
                };
                async move { (name, matches!(AssertUnwindSafe(work).catch_unwind().await, Ok(Ok(())))) }
            })
            .buffer_unordered(at_once);
        let failed: Vec<_> = done.filter_map(async |(name, passed)| (!passed).then_some(name)).collect().await;
        if failed.is_empty() { Ok(()) } else { Err(format!("failed: {}", failed.join(", ")).into()) }
    })
}
