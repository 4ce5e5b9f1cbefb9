//! `callgate check`.

use std::path::Path;

use callgate_core::{Registry, Snapshot, plan::Plan};

use super::{Failed, load};
use crate::server::background;

pub(super) fn check(config: &Path, registry: &Registry, connect: bool) -> Result<String, Failed> {
    let plan = load::plan(config, registry)?;
    let mut text = String::new();
    if !plan.warnings().is_empty() {
        text.push_str(&format!("{}\n", plan.warnings()));
    }
    load::tls(&plan)?;
    let summary = format!("{} is valid: {}\n", config.display(), plan.summary());
    if connect {
        text.push_str(&connected(plan)?);
    }
    Ok(text + &summary)
}

/// Connects, binds, and tells of each upstream and trigger whether it is ready, and whether it has the functions that routes name.
fn connected(plan: Plan) -> Result<String, Failed> {
    let invalid = |error: &dyn std::fmt::Display| Failed::Invalid(error.to_string());
    let runtime = background().map_err(|error| invalid(&error))?;
    runtime.block_on(async {
        let snapshot = Snapshot::load(plan, runtime.handle()).await.map_err(|error| invalid(&error))?;
        let mut lines = String::new();
        let mut failed = false;
        for (name, ready) in snapshot.ready().await {
            match ready {
                Ok(()) => lines.push_str(&format!("upstream {name} is ready\n")),
                Err(error) => {
                    failed = true;
                    lines.push_str(&format!("upstream {name} is not ready: {}\n", callgate_core::chain(&error)));
                }
            }
        }
        for (name, ready) in snapshot.triggers_ready().await {
            match ready {
                Ok(()) => lines.push_str(&format!("trigger {name} is ready\n")),
                Err(error) => {
                    failed = true;
                    lines.push_str(&format!("trigger {name} is not ready: {}\n", callgate_core::chain(&error)));
                }
            }
        }
        for (name, found) in snapshot.discovered().await {
            match found {
                Ok(found) if found.missing.is_empty() => {
                    lines.push_str(&format!(
                        "upstream {name} lists {}, and all that routes name\n",
                        count(found.functions.len())
                    ));
                }
                Ok(found) => {
                    failed = true;
                    lines.push_str(&format!("{}\n", found.missing));
                }
                Err(error) => {
                    failed = true;
                    lines.push_str(&format!("upstream {name} lists no functions: {}\n", callgate_core::chain(&*error)));
                }
            }
        }
        snapshot.close().await;
        if failed { Err(Failed::Invalid(lines)) } else { Ok(lines) }
    })
}

fn count(functions: usize) -> String {
    format!("{functions} function{}", if functions == 1 { "" } else { "s" })
}
