//! `callgate run`.

use std::{num::NonZeroUsize, path::Path, process::ExitCode, sync::Arc};

use callgate_core::{Context, Gateway, Registry, Snapshot, document::Report, plan::Plan};
use tokio::{
    runtime::{Handle, Runtime},
    sync::watch,
};
use tracing::{error, info, warn};

use super::{
    answer::{FAILED, Failed, USAGE, fail},
    load,
};
use crate::{
    access_log::AccessWriter,
    admin::{self, Admin, Looks, Shared},
    log::{self, Log, LogFormat},
    reload::{Cause, InForce, Reloads},
    server::{Ending, Hangups, Inherited, Limits, Readiness, Server, ServerError, Signals, background},
    source::{Patience, Place, Source},
    telemetry::Telemetry,
};

/// Serves until a signal ends it.
pub(super) fn run(
    config: &Place,
    registry: &Registry,
    workers: Option<NonZeroUsize>,
    filter: &str,
    format: Option<LogFormat>,
) -> ExitCode {
    // First of all: there are no threads yet.
    let inherited = Inherited::take();
    let log = match log::start(filter, format) {
        Ok(log) => log,
        Err(wrong) => return fail(wrong, USAGE),
    };
    let code = serve_from((config, registry), workers, &log, &inherited);
    log.flush();
    code
}

fn serve_from(
    (config, registry): (&Place, &Registry),
    workers: Option<NonZeroUsize>,
    log: &Log,
    inherited: &Inherited,
) -> ExitCode {
    // A reload that is asked for while the configuration is read comes after it.
    let (runtime, hangups) = match begin() {
        Ok(begun) => begun,
        Err(problem) => return fail(format!("error: {}", callgate_core::chain(&*problem)), FAILED),
    };
    let (source, plan) = match first(config, registry, &runtime) {
        Ok(read) => read,
        Err(failed) => {
            // What was logged stands before it.
            log.flush();
            let code = failed.code();
            return fail(failed, code);
        }
    };
    warn_of(plan.warnings());
    match serve(plan, (source, registry), workers, log.clone(), (runtime, hangups), inherited) {
        Ok(Cut { connections: 0, messages: 0 }) => ExitCode::SUCCESS,
        Ok(Cut { connections, messages }) => {
            if connections > 0 {
                error!(cut = connections, "The time to drain was over; connections were cut.");
            }
            if messages > 0 {
                error!(
                    returned = messages,
                    "The time to drain was over; messages were returned to their sources unprocessed."
                );
            }
            ExitCode::from(FAILED)
        }
        Err(problem) => {
            // What was logged stands before it.
            log.flush();
            let text = callgate_core::chain(&*problem);
            // A report of flaws has its own beginning.
            fail(if text.starts_with("error") { text } else { format!("error: {text}") }, FAILED)
        }
    }
}

/// Reads the configuration that the gateway starts with.
fn first(config: &Place, registry: &Registry, runtime: &Runtime) -> Result<(Source, Plan), Failed> {
    let (source, fetched) = runtime
        .block_on(async {
            let source = Source::open(config, runtime.handle(), Patience::Start).await?;
            let fetched = source.fetch().await?;
            Ok((source, fetched))
        })
        .map_err(load::unread)?;
    let plan = fetched.plan(registry).map_err(Failed::Invalid)?;
    load::tls(&plan)?;
    if let Some(revision) = fetched.revision() {
        info!(from = %config, revision, "The configuration is read.");
    }
    Ok((source, plan))
}

fn warn_of(report: &Report) {
    for flaw in report.flaws() {
        warn!(at = report.sources().place(flaw.at), path = flaw.path, "{}", flaw.message);
    }
}

/// The runtime of all but requests, in which a hang-up no longer ends the process.
fn begin() -> Result<(Runtime, Hangups), Box<dyn std::error::Error>> {
    let runtime = background()?;
    let hangups = runtime.block_on(async { Hangups::new() })?;
    Ok((runtime, hangups))
}

/// Serves a plan; gives what had to be cut at the end.
fn serve(
    plan: Plan,
    (source, registry): (Source, &Registry),
    workers: Option<NonZeroUsize>,
    log: Log,
    (runtime, hangups): (Runtime, Hangups),
    inherited: &Inherited,
) -> Result<Cut, Box<dyn std::error::Error>> {
    let mut signals = runtime.block_on(async { Signals::new() })?;
    let listeners = plan.listeners().to_vec();
    let admin_at = plan.admin().cloned();
    let in_force = InForce::of(&plan);
    let access = plan.access_log().cloned().map(AccessWriter::start).transpose()?.map(Arc::new);
    let context = Context::new("telemetry", Path::new("."), runtime.handle().clone());
    let telemetry = plan.collector().cloned().map(|to| Telemetry::new(to, &context)).transpose()?;
    let loading = async {
        tokio::select! {
            loaded = Snapshot::load(plan, runtime.handle()) => loaded.map(Some),
            signal = signals.next() => {
                info!(signal, "Ended before anything was served.");
                Ok(None)
            }
        }
    };
    let Some(mut snapshot) = runtime.block_on(loading)? else {
        // Looks for names and files that still run are not waited for.
        runtime.shutdown_background();
        return Ok(Cut { connections: 0, messages: 0 });
    };
    if let Some(sink) = &access {
        snapshot = snapshot.logging_to(Arc::<AccessWriter>::clone(sink));
    }
    if let Some(telemetry) = &telemetry {
        snapshot = snapshot.tracing_to(telemetry.spans());
    }
    let gateway = Gateway::new(snapshot);
    let readiness = Readiness::starting();
    let admin = admin_at.as_ref().map(|address| Admin::bind(address, inherited)).transpose()?;
    let server = Server::start_with(inherited, &listeners, workers, &Limits::default(), &readiness, &gateway)?;
    for bound in server.addresses() {
        info!(listener = &*bound.listener, address = %bound.address, "Listening.");
    }
    let taken: Vec<_> = listeners.iter().map(|listener| &listener.address).chain(&admin_at).collect();
    for socket in inherited.untaken(&taken) {
        warn!(socket, "A socket was handed in that no listener has the address of; it is not used.");
    }
    info!("Serving {}.", gateway.snapshot().summary());
    let traffic = server.traffic().clone();
    let (opened, background) = (server.listeners().clone(), runtime.handle().clone());
    let source = (source, registry.clone());
    let reloads = Reloads::new(source, gateway.clone(), opened, in_force, background);
    let shared =
        Shared { readiness, gateway: gateway.clone(), traffic, reloads: reloads.clone(), log, looks: Looks::default() };
    let drained = runtime.block_on(async {
        let gathered = shared.clone();
        let gather = move || {
            let shared = gathered.clone();
            async move { admin::gather(&shared).await }
        };
        let sending = telemetry.map(|telemetry| telemetry.start(&context, gather));
        let serving = match admin {
            Some(admin) => {
                info!(address = %admin.address(), "The admin listens.");
                Some(admin.serve(shared)?)
            }
            None => None,
        };
        gateway.snapshot().start_triggers();
        reload_on_signals(hangups, &reloads);
        Handle::current().spawn(reloads.clone().follow_files());
        Handle::current().spawn(reloads.clone().follow_source());
        let drained = until_signalled(signals, server, &reloads, &gateway).await?;
        drop(serving);
        if let Some(sending) = sending {
            sending.end().await;
        }
        Ok::<_, Box<dyn std::error::Error>>(drained)
    })?;
    runtime.block_on(async {
        reloads.end().await;
        gateway.snapshot().close().await;
    });
    if let Some(sink) = access {
        sink.flush();
    }
    info!("Ended.");
    Ok(drained)
}

/// Reloads on SIGHUP, for as long as the runtime runs.
fn reload_on_signals(mut hangups: Hangups, reloads: &Reloads) {
    let reloads = reloads.clone();
    Handle::current().spawn(async move {
        loop {
            hangups.next().await;
            reloads.reload(Cause::Signal).await;
        }
    });
}

/// What was not finished when the gateway ended.
struct Cut {
    connections: usize,
    messages: usize,
}

/// How far the end has come.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Step {
    Serving,
    Draining(Ending),
    AtOnce,
}

/// The first signal begins the drain, a second one ends it at once. Triggers take nothing more from the first one on.
async fn until_signalled(
    mut signals: Signals,
    server: Server,
    reloads: &Reloads,
    gateway: &Gateway,
) -> Result<Cut, ServerError> {
    let (steps, step) = watch::channel(Step::Serving);
    let watching = async {
        let signal = signals.next().await;
        // Ctrl-C: nobody is there who would have to learn first that this process goes.
        let ending = if signal == "SIGINT" { Ending::Prompt } else { Ending::Announced };
        reloads.stop();
        let shutdown = reloads.shutdown();
        info!(signal, ?ending, lame_duck = ?shutdown.lame_duck, grace = ?shutdown.grace, "Draining.");
        steps.send_replace(Step::Draining(ending));
        let signal = signals.next().await;
        warn!(signal, "Ending at once.");
        steps.send_replace(Step::AtOnce);
        std::future::pending::<()>().await;
    };
    let drains = || {
        let mut step = step.clone();
        async move {
            match step.wait_for(|step| *step != Step::Serving).await.as_deref() {
                Ok(Step::Draining(ending)) => *ending,
                _ => Ending::Prompt,
            }
        }
    };
    let at_once = || {
        let mut step = step.clone();
        async move { drop(step.wait_for(|step| *step == Step::AtOnce).await) }
    };
    let serving = async {
        let drained = server.run(|| reloads.shutdown(), drains(), at_once()).await;
        // A server that ended by itself takes the triggers along.
        steps.send_if_modified(|step| {
            *step == Step::Serving && {
                *step = Step::Draining(Ending::Prompt);
                true
            }
        });
        drained
    };
    let triggering = async {
        drains().await;
        // From here on no reload puts others in their place.
        reloads.stop();
        let over = || async {
            tokio::select! {
                () = tokio::time::sleep(reloads.shutdown().grace) => {}
                () = at_once() => {}
            }
        };
        let snapshot = gateway.snapshot();
        let (messages, more) = tokio::join!(snapshot.drain_triggers(over()), reloads.drain_triggers(over()));
        messages + more
    };
    tokio::select! {
        (drained, messages) = async { tokio::join!(serving, triggering) } => Ok(Cut { connections: drained?.cut, messages }),
        () = watching => Ok(Cut { connections: 0, messages: 0 }),
    }
}
