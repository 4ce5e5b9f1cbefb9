//! Which sections the reference has, and what stands in which.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{
    section::{Section, anchor},
    shape::{Object, Place, Reader, SCALARS},
};

/// The parts of the document that have a section of their own: the field, what one of them is called, the heading, and where it stands.
const PARTS: [[&str; 4]; 5] = [
    ["listeners", "listener", "Listeners", "`listeners.NAME`: where the gateway listens for clients."],
    [
        "admin",
        "admin",
        "Admin",
        "`admin`: the address for operators. [observability.md](observability.md) says what is there.",
    ],
    [
        "access_log",
        "access log",
        "Access log",
        "`access_log`: a line for each request ([observability.md](observability.md)).",
    ],
    [
        "telemetry",
        "telemetry",
        "Telemetry",
        "`telemetry`: traces and metrics for a collector ([observability.md](observability.md)).",
    ],
    ["shutdown", "shutdown", "Shutdown", "`shutdown`: how the gateway ends ([operations.md](operations.md))."],
];

const POLICIES: &str = "Policies stand at `defaults`, at a host (`hosts.NAME`), at an upstream (`upstreams.NAME`) and at a route. The more \
specific one wins field by field, in the order route, upstream, host, `defaults`. [policies.md](policies.md) has examples, and what is \
answered.";

const KINDS: &str = "An upstream has one of these fields, and its functions, below `functions` or as the long form in a `to`, have the \
options of its kind.";

const SOURCES: &str = "A trigger has one of these fields, which says where its messages come from.";

/// All sections in their order. What has a section is known to the reader from here on.
pub(super) fn all<'a>(schema: &'a Value, reader: &mut Reader<'a>) -> Vec<Section<'a>> {
    let definitions = &schema["$defs"];
    let none = BTreeSet::new();
    let policies = &definitions["PolicySettings"];
    let policy_names: BTreeSet<&str> = fields(policies).map(|(name, _)| name).collect();
    let mut sections = vec![values(definitions)];

    let root = Object { at: String::new(), name: None, schema };
    sections.push(Section::new(2, "The document", "What stands at the top level.").table("", vec![root], &none));
    for [field, one, title, text] in PARTS {
        let objects = owned(&schema["properties"][field], title, one, reader);
        sections.push(Section::new(2, title, text).table("", objects, &none));
    }

    let mut hosts = Section::new(2, "Hosts", "`hosts.NAME`: a domain, `*.` and the end of one, or `*`.").table(
        "",
        owned(&schema["properties"]["hosts"], "Hosts", "host", reader),
        &policy_names,
    );
    hosts.end = "It also has the [policies](#policies).".to_owned();
    sections.push(hosts);

    let route = &definitions["Route"]["properties"];
    let text = "`routes[]` and `hosts.NAME.routes[]`: what a request must be, and what is done with it: one of `to`, `respond`, \
                `redirect` and `openapi`.";
    let mut routes = Section::new(2, "Routes", text).table(
        "",
        owned(&schema["properties"]["routes"], "Routes", "route", reader),
        &policy_names,
    );
    routes.end = "It also has the [policies](#policies).".to_owned();
    sections.push(routes);
    let matches = owned(&route["match"], "Match", "match", reader);
    let text = "`match` of a route: a text as `POST /orders/{id}`, or these fields, of which one of `path` and `path_regex` is there.";
    sections.push(Section::new(3, "Match", text).table("", matches, &none));
    sections.push(destinations(&route["to"], reader));
    for (field, title, one) in
        [("request", "Request steps", "request step"), ("response", "Response steps", "response step")]
    {
        let objects = owned(&route[field], title, one, reader);
        let text = format!(
            "`{field}` of a host, a route, an upstream or a function: one step, or a list of them. \
             [transformations.md](transformations.md) has examples."
        );
        sections.push(Section::new(2, title, text).table("", objects, &none));
    }

    let of_policies = owned(&schema["properties"]["defaults"], "Policies", "policies", reader);
    sections.push(Section::new(2, "Policies", POLICIES).table("", of_policies, &none));
    for (name, policy) in fields(policies) {
        let title = format!("`{name}`");
        let objects = owned(policy, &title, &title, reader);
        if !objects.is_empty() {
            let text = format!("`{name}` as an object.");
            sections.push(Section::new(3, &title, text).table("", objects, &none));
        }
    }

    sections.extend(upstreams_and_triggers(schema, &policy_names, reader));
    let tests = owned(&schema["properties"]["tests"], "Tests", "test", reader);
    let text =
        "`tests[]` and `routes[].tests[]`: what `callgate test` runs ([configuration.md](configuration.md#tests)).";
    sections.push(Section::new(2, "Tests", text).table("", tests, &none));
    sections
}

/// The forms of texts.
fn values(definitions: &Value) -> Section<'static> {
    let mut text = "| word | written as | such as |\n|---|---|---|\n".to_owned();
    for (name, word) in SCALARS {
        let definition = &definitions[name];
        let examples = definition["examples"].as_array().into_iter().flatten().filter_map(Value::as_str);
        let examples: Vec<_> = examples.map(|example| format!("`{example}`")).collect();
        let description = definition["description"].as_str().unwrap_or_default().trim_end_matches('.');
        text.push_str(&format!("| {word} | {}. | {} |\n", description.replace('\n', " "), examples.join(", ")));
    }
    text.push_str(
        "| text | Any text; a number or a boolean is taken for the text that it is written as. | `orders`, `1.0` |\n",
    );
    text.push_str(
        "| anything | Any YAML: texts, lists, mappings. Texts in it are templates. | `{id: \"{{ params.id }}\"}` |",
    );
    Section::new(2, "Values", text)
}

/// What a `to` says in its long form, but for the options of the kinds.
fn destinations<'a>(to: &'a Value, reader: &mut Reader<'a>) -> Section<'a> {
    let forms = owned(to, "Destinations", "destination", reader);
    let options: BTreeSet<&str> = forms.iter().flat_map(|form| fields(form.schema)).map(|(name, _)| name).collect();
    let common = ["upstream", "function", "weight", "request", "response"];
    let without = options.into_iter().filter(|name| !common.contains(name)).collect();
    let first = forms.into_iter().take(1).map(|form| Object { at: String::new(), ..form }).collect();
    let mut section = Section::new(
        3,
        "Destinations",
        "`to` of a route, a trigger or a dead letter: a text `upstream/function`, or these fields, or a list of either with weights.",
    )
    .table("", first, &without);
    section.end =
        "Beside them stand the options that the upstream's [kind](#kinds-of-upstream) has for functions.".to_owned();
    section
}

fn upstreams_and_triggers<'a>(
    schema: &'a Value,
    policies: &BTreeSet<&'a str>,
    reader: &mut Reader<'a>,
) -> Vec<Section<'a>> {
    let properties = &schema["properties"];
    let kinds = owned(&properties["upstreams"], "Upstreams", "upstream", reader);
    let sources = owned(&properties["triggers"], "Triggers", "trigger", reader);
    for kind in &kinds {
        owned(&kind.schema["properties"]["functions"], "Kinds of upstream", "function", reader);
    }
    let mut upstreams = Section::new(
        2,
        "Upstreams",
        "`upstreams.NAME`, beside the field of the upstream's [kind](#kinds-of-upstream).",
    )
    .table("", common(&kinds), policies);
    upstreams.tables[0].without.extend(kinds.iter().filter_map(|kind| chosen(kind)));
    upstreams.end = "It also has the [policies](#policies).".to_owned();
    let mut sections = vec![upstreams, Section::new(2, "Kinds of upstream", KINDS)];

    let mut uses: BTreeMap<&str, (BTreeSet<&str>, &str, Object<'a>)> = BTreeMap::new();
    for kind in kinds.iter().chain(&sources) {
        let Some(name) = chosen(kind) else { continue };
        let mut found = BTreeMap::new();
        reached(&kind.schema["properties"][name], name, reader, &mut found);
        if let Some(function) = function(kind) {
            reached(function, name, reader, &mut found);
        }
        for (definition, (field, object)) in found {
            uses.entry(definition).or_insert_with(|| (BTreeSet::new(), field, object)).0.insert(name);
        }
    }
    for (definition, (by, field, object)) in uses.into_iter().filter(|(_, (by, ..))| by.len() > 1) {
        let title = format!("`{field}` of several kinds");
        let place = Place { anchor: anchor(&title), shown: format!("`{field}`"), again: false };
        reader.known.insert(definition.to_owned(), place);
        let by: Vec<_> = by.iter().map(|kind| format!("`{kind}`")).collect();
        let object = Object { at: String::new(), ..object };
        let described = object.schema["description"].as_str().unwrap_or_default().replace('\n', " ");
        let text = format!("{described} Of {}.", by.join(", "));
        sections.push(Section::new(3, &title, text).table("", vec![object], &BTreeSet::new()));
    }
    sections.extend(kinds.iter().filter_map(|kind| of_kind(kind, "", reader)));
    if !sources.is_empty() {
        let triggers = Section::new(2, "Triggers", "`triggers.NAME`, beside the field of the [source](#sources-of-triggers). [triggers.md](triggers.md) has examples.")
            .table("", common(&sources), &sources.iter().filter_map(|source| chosen(source)).collect());
        sections.push(triggers);
        sections.push(Section::new(2, "Sources of triggers", SOURCES));
        sections.extend(sources.iter().filter_map(|source| of_kind(source, "Source ", reader)));
    }
    sections
}

/// The section of a kind of upstream, or of a source.
fn of_kind<'a>(kind: &Object<'a>, before: &str, reader: &Reader<'a>) -> Option<Section<'a>> {
    let name = chosen(kind)?;
    let settings = &kind.schema["properties"][name];
    let summary = settings["description"].as_str().unwrap_or_default();
    let owner = if before.is_empty() { "upstreams" } else { "triggers" };
    let mut section = Section::new(3, &format!("{before}`{name}`"), format!("{summary}."));
    let objects = reader.shape(settings).objects;
    let has = if objects.is_empty() { " has no fields." } else { ":" };
    section = section.table(&format!("`{owner}.NAME.{name}`{has}"), objects, &BTreeSet::new());
    if let Some(function) = function(kind) {
        let object = Object { at: String::new(), name: None, schema: function };
        let caption = "A function, at `functions.NAME` or in a `to`:";
        section = section.table(caption, vec![object], &BTreeSet::from(["request", "response"]));
    }
    Some(section)
}

/// The field by which a kind is chosen.
fn chosen<'a>(kind: &Object<'a>) -> Option<&'a str> {
    let mut required = kind.schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
    required.find(|field| *field != "to")
}

/// What a kind's functions take.
fn function<'a>(kind: &Object<'a>) -> Option<&'a Value> {
    kind.schema.pointer("/properties/functions/additionalProperties")
}

/// The one of some objects that has the most fields, which are the same but for the kind.
fn common<'a>(kinds: &[Object<'a>]) -> Vec<Object<'a>> {
    let most = kinds.iter().max_by_key(|kind| fields(kind.schema).count());
    most.into_iter().map(|kind| Object { at: String::new(), ..kind.clone() }).collect()
}

/// The named objects within a schema, each with the field that it is first found at.
fn reached<'a>(
    schema: &'a Value,
    field: &'a str,
    reader: &Reader<'a>,
    found: &mut BTreeMap<&'a str, (&'a str, Object<'a>)>,
) {
    for object in reader.shape(schema).objects {
        let known = object.name.is_some_and(|name| found.contains_key(name));
        if !known {
            found.extend(object.name.map(|name| (name, (field, object.clone()))));
            for (field, schema) in fields(object.schema) {
                reached(schema, field, reader, found);
            }
        }
    }
}

/// The objects of a field, which from here on are known to stand in a section.
fn owned<'a>(schema: &'a Value, title: &str, shown: &str, reader: &mut Reader<'a>) -> Vec<Object<'a>> {
    let objects = reader.shape(schema).objects;
    for name in objects.iter().filter_map(|object| object.name) {
        let place = Place { anchor: anchor(title), shown: shown.to_owned(), again: false };
        reader.known.insert(name.to_owned(), place);
    }
    objects.into_iter().map(|object| Object { at: String::new(), ..object }).collect()
}

fn fields(schema: &Value) -> impl Iterator<Item = (&str, &Value)> {
    schema["properties"].as_object().into_iter().flatten().map(|(name, schema)| (name.as_str(), schema))
}
