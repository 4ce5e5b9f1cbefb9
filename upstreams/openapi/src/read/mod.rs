//! From nodes of a document to an operation, whichever version they speak.

mod body;
mod parameter;

use http::Method;

use crate::{
    document::{Document, Entry, Version},
    files::{At, Broken},
    operation::{In, Operation, Parameter, Reply, Schema},
    path::PathTemplate,
    security::{Scheme, requirements},
    server::Server,
};

/// Reads an operation.
pub(crate) fn operation(document: &Document, entry: &Entry, name: &str) -> Result<Operation, Broken> {
    let files = &document.files;
    let root = files.root();
    let (Some(item), Some(at)) = (files.at(&entry.item), files.at(&entry.operation)) else {
        return Err(root.broken("the operation is gone"));
    };
    let path = PathTemplate::parse(&entry.path);
    let mut given = Vec::new();
    for list in [at.get("parameters"), item.get("parameters")].into_iter().flatten() {
        for parameter in list.items() {
            given.push(parameter.resolved()?);
        }
    }
    let mut parameters: Vec<Parameter> = Vec::new();
    for parameter in &given {
        let Some(read) = parameter::read(document, parameter)? else { continue };
        let stands_in_path = read.place != In::Path || path.parameters().any(|name| name == read.name);
        let is_new = !parameters.iter().any(|other| other.name == read.name && other.place == read.place);
        // Those of the operation come first, and go before those of the path.
        if stands_in_path && is_new {
            parameters.push(read);
        }
    }
    for name in path.parameters() {
        if !parameters.iter().any(|parameter| parameter.place == In::Path && parameter.name == name) {
            parameters.push(parameter::undeclared(name));
        }
    }
    let body = match document.version {
        Version::V2 => body::of_parameters(document, &at, &given)?,
        _ => at.get("requestBody").map(|body| body::read(body)).transpose()?,
    };
    let body = body.filter(|_| entry.method != Method::TRACE);
    let schemes = schemes_at(document);
    let security = requirements(&at, &root, |name| {
        let scheme = schemes.as_ref()?.get(name)?.resolved().ok()?;
        Some(Scheme::read(&scheme))
    });
    let servers = [&at, &item].into_iter().find_map(|at| {
        let servers: Vec<_> = at.get("servers")?.items().filter_map(|server| Server::read(&server)).collect();
        (!servers.is_empty()).then_some(servers)
    });
    Ok(Operation {
        name: name.to_owned(),
        method: entry.method.clone(),
        path,
        summary: summary(&at),
        parameters,
        body,
        replies: replies(document, &at)?,
        security,
        servers: servers.unwrap_or_default(),
    })
}

/// The servers of a document as a whole.
pub(crate) fn servers(document: &Document) -> Vec<Server> {
    let root = document.files.root();
    if document.version != Version::V2 {
        let servers = root.get("servers").into_iter().flat_map(|servers| servers.items().collect::<Vec<_>>());
        let servers: Vec<_> = servers.filter_map(|server| Server::read(&server)).collect();
        // A document without servers is served where it is.
        return if servers.is_empty() { vec![Server::plain("/")] } else { servers };
    }
    let base = root.text("basePath").unwrap_or("/");
    let base = if base.starts_with('/') { base.to_owned() } else { format!("/{base}") };
    let Some(host) = root.text("host") else { return vec![Server::plain(base)] };
    let schemes = root.get("schemes").into_iter().flat_map(|schemes| schemes.items().collect::<Vec<_>>());
    let schemes: Vec<_> = schemes.filter_map(|scheme| scheme.value.as_str()).collect();
    let scheme = match schemes.as_slice() {
        [] => "https",
        all if all.contains(&"https") => "https",
        [first, ..] => first,
    };
    vec![Server::plain(format!("{scheme}://{host}{base}"))]
}

/// The security schemes of a document.
pub(crate) fn schemes(document: &Document) -> Vec<(String, Scheme)> {
    let schemes = schemes_at(document);
    let schemes = schemes.iter().flat_map(At::entries);
    schemes.filter_map(|(name, scheme)| Some((name.to_owned(), Scheme::read(&scheme.resolved().ok()?)))).collect()
}

fn schemes_at(document: &Document) -> Option<At<'_>> {
    let root = document.files.root();
    match document.version {
        Version::V2 => root.get("securityDefinitions"),
        _ => root.get("components")?.get("securitySchemes"),
    }
}

fn replies(document: &Document, operation: &At<'_>) -> Result<Vec<Reply>, Broken> {
    let mut replies = Vec::new();
    let all = operation.get("responses");
    for (status, reply) in all.iter().flat_map(At::entries) {
        let reply = reply.resolved()?;
        let media = match document.version {
            Version::V2 => match reply.get("schema") {
                Some(schema) => {
                    let produces = body::types(operation, &document.files.root(), "produces");
                    produces.into_iter().map(|range| (range, Some(Schema::At(schema.place.clone())))).collect()
                }
                None => Vec::new(),
            },
            _ => {
                let content = reply.get("content");
                let media = content.iter().flat_map(At::entries);
                media
                    .map(|(range, media)| (body::range(range), media.get("schema").map(|at| Schema::At(at.place))))
                    .collect()
            }
        };
        let summary = reply.text("description").and_then(line);
        replies.push(Reply { status: status.to_ascii_uppercase(), summary, media });
    }
    for reply in &mut replies {
        if reply.status == "DEFAULT" {
            "default".clone_into(&mut reply.status);
        }
    }
    Ok(replies)
}

/// What something is for, in a line.
fn summary(at: &At<'_>) -> Option<String> {
    at.text("summary").and_then(line).or_else(|| at.text("description").and_then(line))
}

fn line(text: &str) -> Option<String> {
    let line = text.trim().lines().next()?.trim();
    (!line.is_empty()).then(|| line.to_owned())
}

/// An example that the document gives of a parameter, a body or its schema.
fn example(at: &At<'_>) -> Option<serde_json::Value> {
    if let Some(example) = at.get("example") {
        return Some(example.value.clone());
    }
    let examples = at.get("examples")?;
    if let Some(first) = examples.items().next() {
        return Some(first.value.clone());
    }
    let (_, first) = examples.entries().next()?;
    Some(first.resolved().ok()?.get("value")?.value.clone())
}
