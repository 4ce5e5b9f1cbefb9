//! The document as it is in force, for `callgate config`: every default filled in.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::{
    Address, DestinationPlan, TargetPlan, TriggerPlan, destination::Action, route::RoutePlan, top::Root,
    upstream::UpstreamPlan,
};
use crate::{
    document::{Period, Secret},
    policy::PolicySettings,
};

/// The whole document. Values that came from references are masked by the caller.
pub(super) fn document(
    top: &Root,
    upstreams: &BTreeMap<String, UpstreamPlan>,
    routes: &[RoutePlan],
    triggers: &[TriggerPlan],
) -> Value {
    let mut document = json!({
        "listeners": top.listeners,
        "admin": top.admin.as_ref().map(|address| admin(address, top.admin_token.as_ref())),
        "access_log": top.access_log,
        "telemetry": top.telemetry,
        "shutdown": {
            "lame_duck": Period::from(top.shutdown.lame_duck),
            "grace": Period::from(top.shutdown.grace),
        },
        "upstreams": upstreams.iter().map(|(name, plan)| (name.clone(), upstream(plan))).collect::<Map<_, _>>(),
        "routes": routes.iter().filter(|plan| plan.host.is_none()).map(route).collect::<Vec<_>>(),
    });
    let mut hosts = Map::new();
    for plan in routes {
        let Some(host) = &plan.host else { continue };
        let entry = hosts.entry(host.to_string()).or_insert_with(|| {
            let mut fields = Map::new();
            merge(&mut fields, &plan.host_settings);
            fields.insert("routes".to_owned(), json!([]));
            Value::Object(fields)
        });
        if let Some(Value::Array(list)) = entry.get_mut("routes") {
            list.push(route(plan));
        }
    }
    if let Value::Object(fields) = &mut document {
        if !hosts.is_empty() {
            fields.insert("hosts".to_owned(), Value::Object(hosts));
        }
        if !triggers.is_empty() {
            let triggers = triggers.iter().map(|plan| (plan.name.to_string(), trigger(plan)));
            fields.insert("triggers".to_owned(), Value::Object(triggers.collect()));
        }
        fields.retain(|_, value| !value.is_null());
    }
    document
}

fn admin(address: &Address, token: Option<&Secret>) -> Value {
    let mut fields = json!({"address": address});
    if let Some(token) = token {
        fields["token"] = json!(token);
    }
    fields
}

fn upstream(plan: &UpstreamPlan) -> Value {
    let mut fields = Map::new();
    fields.insert(plan.kind.name().to_owned(), plan.config.effective().clone());
    merge(&mut fields, &plan.common);
    if !plan.functions.is_empty() {
        let functions = plan.functions.iter().map(|(name, function)| (name.clone(), function.effective.clone()));
        fields.insert("functions".to_owned(), Value::Object(functions.collect()));
    }
    Value::Object(fields)
}

/// A route with the policies that hold for it, wherever they were written.
fn route(plan: &RoutePlan) -> Value {
    let mut fields = Map::new();
    fields.insert("name".to_owned(), Value::from(&*plan.info.name));
    merge(&mut fields, &plan.settings);
    for policy in PolicySettings::NAMES {
        fields.shift_remove(*policy);
    }
    reached(&mut fields, &plan.destinations);
    Value::Object(fields)
}

/// The destinations, with the policies that hold for them.
fn reached(fields: &mut Map<String, Value>, destinations: &[DestinationPlan]) {
    let several = destinations.len() > 1;
    let calls: Vec<_> = destinations.iter().filter_map(|destination| to(destination, several)).collect();
    match <[_; 1]>::try_from(calls) {
        Ok([to]) => fields.insert("to".to_owned(), to),
        Err(calls) if !calls.is_empty() => fields.insert("to".to_owned(), calls.into()),
        Err(_) => None,
    };
    if let Some(first) = destinations.first() {
        merge(fields, &first.policies.effective());
        fields.extend(first.access.iter().flat_map(|access| access.effective().clone()));
    }
}

fn to(destination: &DestinationPlan, weighted: bool) -> Option<Value> {
    let Action::Call(call) = &destination.action else { return None };
    let mut to = Map::new();
    to.insert("upstream".to_owned(), Value::from(call.upstream.as_str()));
    merge(&mut to, call.target.effective());
    if weighted {
        to.insert("weight".to_owned(), Value::from(destination.weight));
    }
    Some(Value::Object(to))
}

fn trigger(plan: &TriggerPlan) -> Value {
    let mut fields = Map::new();
    fields.insert(plan.kind.name().to_owned(), plan.config.effective().clone());
    match &plan.target {
        TargetPlan::Functions(destinations) => reached(&mut fields, destinations),
        TargetPlan::Route(named) => drop(fields.insert("to".to_owned(), json!({"route": &*named.name}))),
    }
    // What stands on the upstreams of its functions is not the trigger's own.
    let policies = PolicySettings::NAMES.iter().filter_map(|name| fields.shift_remove_entry(*name));
    let policies: Vec<_> = policies.filter(|(name, _)| ["timeout", "limits"].contains(&name.as_str())).collect();
    merge(&mut fields, &plan.common);
    fields.insert("retry".to_owned(), serde_json::to_value(plan.retry.effective()).unwrap_or_default());
    if let Some(to) = plan.dead_letter.as_ref().and_then(|letter| to(letter, false)) {
        fields.insert("dead_letter".to_owned(), json!({"to": to}));
    }
    fields.extend(policies);
    Value::Object(fields)
}

fn merge(fields: &mut Map<String, Value>, more: &Value) {
    for (name, value) in more.as_object().into_iter().flatten().filter(|(_, value)| !value.is_null()) {
        fields.insert(name.clone(), value.clone());
    }
}
