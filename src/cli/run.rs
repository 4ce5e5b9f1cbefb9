//! `callgate run`.

use std::{num::NonZeroUsize, path::Path, process::ExitCode, sync::Arc};

use callgate_core::{Gateway, Registry, Snapshot, document::Report, plan::Plan};
use tracing::{error, info, warn};

use super::{FAILED, Failed, USAGE, fail, load};
use crate::{
    admin::{Admin, AdminState},
    log::{self, LogFormat},
    server::{Ending, Limits, Readiness, Server, ServerError, Signals, background},
};

/// Serves until a signal ends it.
pub(super) fn run(
    config: &Path,
    registry: &Registry,
    workers: Option<NonZeroUsize>,
    filter: &str,
    format: Option<LogFormat>,
) -> ExitCode {
    if let Err(wrong) = log::start(filter, format) {
        return fail(wrong, USAGE);
    }
    let plan = match load::plan(config, registry).and_then(|plan| load::tls(&plan).map(|()| plan)) {
        Ok(plan) => plan,
        Err(Failed::Invalid(text) | Failed::Tests(text) | Failed::Usage(text)) => return fail(text, FAILED),
    };
    warn_of(plan.warnings());
    match serve(plan, workers) {
        Ok(0) => ExitCode::SUCCESS,
        Ok(cut) => {
            error!(cut, "The time to drain was over; connections were cut.");
            ExitCode::from(FAILED)
        }
        Err(problem) => {
            let text = callgate_core::chain(&*problem);
            // A report of flaws has its own beginning.
            fail(if text.starts_with("error") { text } else { format!("error: {text}") }, FAILED)
        }
    }
}

fn warn_of(report: &Report) {
    for flaw in report.flaws() {
        warn!(at = report.sources().place(flaw.at), path = flaw.path, "{}", flaw.message);
    }
}

/// Serves a plan; gives the number of connections that had to be cut at the end.
fn serve(plan: Plan, workers: Option<NonZeroUsize>) -> Result<usize, Box<dyn std::error::Error>> {
    let runtime = background()?;
    let (listeners, shutdown) = (plan.listeners().to_vec(), plan.shutdown());
    let admin_at = plan.admin().cloned();
    let summary = plan.summary();
    let state = AdminState { routes: plan.route_list(), config: plan.effective().clone() };
    let snapshot = runtime.block_on(Snapshot::load(plan, runtime.handle()))?;
    let gateway = Gateway::new(snapshot);
    let readiness = Readiness::starting();
    let admin = admin_at.map(|address| Admin::bind(&address)).transpose()?;
    let server = Server::start(&listeners, workers, &Limits::default(), &readiness, &gateway)?;
    for bound in server.addresses() {
        info!(listener = &*bound.listener, address = %bound.address, "Listening.");
    }
    info!("Serving {summary}.");
    let drained = runtime.block_on(async {
        let serving = match admin {
            Some(admin) => {
                info!(address = %admin.address(), "The admin listens.");
                Some(admin.serve(readiness.clone(), gateway.clone(), Arc::new(state))?)
            }
            None => None,
        };
        let drained = until_signalled(server, shutdown).await?;
        drop(serving);
        Ok::<_, Box<dyn std::error::Error>>(drained)
    })?;
    runtime.block_on(gateway.snapshot().close());
    info!("Ended.");
    Ok(drained)
}

/// The first signal begins the drain, a second one ends it at once.
async fn until_signalled(server: Server, shutdown: callgate_core::plan::Shutdown) -> Result<usize, ServerError> {
    let mut signals = Signals::new()?;
    let (first, drains) = tokio::sync::oneshot::channel();
    let (second, ends) = tokio::sync::oneshot::channel();
    let watching = async move {
        let signal = signals.next().await;
        // Ctrl-C: nobody is there who would have to learn first that this process goes.
        let ending = if signal == "SIGINT" { Ending::Prompt } else { Ending::Announced };
        info!(signal, ?ending, lame_duck = ?shutdown.lame_duck, grace = ?shutdown.grace, "Draining.");
        first.send(ending).ok();
        let signal = signals.next().await;
        warn!(signal, "Ending at once.");
        second.send(()).ok();
        std::future::pending::<()>().await;
    };
    let ended =
        server.run(shutdown, async { drains.await.unwrap_or(Ending::Prompt) }, async { ends.await.unwrap_or(()) });
    tokio::select! {
        drained = ended => Ok(drained?.cut),
        () = watching => Ok(0),
    }
}
