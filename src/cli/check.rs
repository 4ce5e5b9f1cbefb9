//! `callgate check`.

use callgate_core::{Found, Registry, Snapshot, plan::Plan};
use serde_json::{Map, Value, json};

use super::{
    answer::{Answer, Failed},
    load, progress,
};
use crate::{flaws, server::background, source::Place};

pub(super) fn check(config: &Place, registry: &Registry, connect: bool) -> Result<Answer, Failed> {
    let plan = load::plan(config, registry)?;
    let mut text = String::new();
    if !plan.warnings().is_empty() {
        text.push_str(&format!("{}\n", plan.warnings()));
    }
    load::tls(&plan)?;
    let summary = plan.summary();
    let mut told = json!({"valid": true, "summary": summary, "warnings": flaws::to_json(plan.warnings())});
    if connect {
        let states = connected(plan)?;
        for (name, value) in states.to_json() {
            told[name] = value;
        }
        if states.failed {
            return Err(Failed::Unready(Answer::new(states.lines, told)));
        }
        text.push_str(&states.lines);
    }
    Ok(Answer::new(text + &format!("{} is valid: {summary}\n", config), told))
}

/// How connected upstreams and triggers are.
#[derive(Default)]
struct States {
    lines: String,
    failed: bool,
    upstreams: Map<String, Value>,
    triggers: Map<String, Value>,
}

impl States {
    fn to_json(&self) -> [(&'static str, Value); 3] {
        let list = |states: &Map<String, Value>| states.values().cloned().collect();
        [("ready", (!self.failed).into()), ("upstreams", list(&self.upstreams)), ("triggers", list(&self.triggers))]
    }

    fn line(&mut self, line: impl std::fmt::Display) {
        self.lines.push_str(&format!("{line}\n"));
    }

    fn ready(&mut self, what: &str, name: String, reason: Option<&str>) {
        match reason {
            None => self.line(format_args!("{what} {name} is ready")),
            Some(reason) => self.line(format_args!("{what} {name} is not ready: {reason}")),
        }
        self.failed |= reason.is_some();
        let state = json!({"name": name, "ready": reason.is_none(), "reason": reason});
        let states = if what == "trigger" { &mut self.triggers } else { &mut self.upstreams };
        states.insert(name, state);
    }

    fn listed(&mut self, name: &str, found: Result<Found, String>) {
        let state = self.upstreams.entry(name).or_insert_with(|| json!({"name": name}));
        match found {
            Ok(found) => {
                state["functions"] = found.functions.len().into();
                state["missing"] = flaws::to_json(&found.missing);
                if found.missing.is_empty() {
                    let functions = count(found.functions.len());
                    self.line(format_args!("upstream {name} lists {functions}, and all that routes name"));
                } else {
                    self.failed = true;
                    self.line(found.missing);
                }
            }
            Err(reason) => {
                state["discovery_failure"] = reason.as_str().into();
                self.failed = true;
                self.line(format_args!("upstream {name} lists no functions: {reason}"));
            }
        }
    }
}

/// Connects, binds, and tells of each upstream and trigger whether it is ready, and whether it has the functions that routes name.
fn connected(plan: Plan) -> Result<States, Failed> {
    let impossible = |error: &dyn std::fmt::Display| Failed::Impossible(error.to_string());
    let runtime = background().map_err(|error| impossible(&error))?;
    let what = format!("connecting {}", plan.summary());
    let asking = async {
        let snapshot = Snapshot::load(plan, runtime.handle()).await.map_err(load::refused)?;
        let mut states = States::default();
        for (name, ready) in snapshot.ready().await {
            states.ready("upstream", name, ready.err().map(|error| snapshot.reason(&error)).as_deref());
        }
        for (name, ready) in snapshot.triggers_ready().await {
            states.ready("trigger", name, ready.err().map(|error| snapshot.reason(&error)).as_deref());
        }
        for (name, found) in snapshot.discovered().await {
            states.listed(&name, found.map_err(|error| snapshot.reason(&*error)));
        }
        snapshot.close().await;
        Ok(states)
    };
    runtime.block_on(progress::watched(&what, asking))
}

fn count(functions: usize) -> String {
    format!("{functions} function{}", if functions == 1 { "" } else { "s" })
}
