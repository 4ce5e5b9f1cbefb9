//! `callgate import`: what another gateway's configuration says, as far as it has a counterpart. The rest is listed.

mod api_gateway;
mod draft;
mod gloo;
mod kong;
mod krakend;
mod settle;

use std::path::{Path, PathBuf};

use callgate_core::{Registry, document::plain};
use clap::{Args, ValueEnum};
use serde_json::Value;

use super::answer::{Answer, Failed};
use draft::Draft;

/// Whose configuration, and where it is.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The gateway that it was written for.
    from: Origin,
    /// The configuration: YAML or JSON.
    file: PathBuf,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Origin {
    /// Amazon API Gateway: an export as OpenAPI, with its extensions.
    ApiGateway,
    /// Gloo Edge: Upstreams and VirtualServices.
    Gloo,
    /// Kong: the declarative configuration.
    Kong,
    /// KrakenD: the configuration of version 3.
    Krakend,
}

pub(super) fn import(Arguments { from, file }: &Arguments, registry: &Registry) -> Result<Answer, Failed> {
    let shown = file.display();
    let text =
        std::fs::read_to_string(file).map_err(|error| Failed::Usage(format!("{shown} can't be read: {error}")))?;
    let documents = read(file, &text)?;
    let first = documents.first().unwrap_or(&Value::Null);
    let mut draft = Draft::default();
    let (name, fits) = match from {
        Origin::ApiGateway => ("API Gateway", first["paths"].is_object()),
        Origin::Gloo => ("Gloo", documents.iter().any(|document| document["spec"].is_object())),
        Origin::Kong => {
            ("Kong", first["services"].is_array() || first["routes"].is_array() && first["_format_version"].is_string())
        }
        Origin::Krakend => ("KrakenD", first["endpoints"].is_array()),
    };
    if !fits {
        return Err(Failed::Impossible(format!("{shown} is no configuration of {name}")));
    }
    match from {
        Origin::ApiGateway => api_gateway::import(first, &mut draft),
        Origin::Gloo => gloo::import(&documents, &mut draft),
        Origin::Kong => kong::import(first, &mut draft),
        Origin::Krakend => krakend::import(first, &mut draft),
    }
    settle::settle(&mut draft, registry);
    let (text, json) = draft.finish(name);
    Ok(Answer::new(text, json))
}

/// The documents of a file, which are separated by `---`.
fn read(file: &Path, text: &str) -> Result<Vec<Value>, Failed> {
    let mut documents = Vec::new();
    for part in format!("\n{text}").split("\n---") {
        let part = part.trim_start_matches('-');
        let mut document = plain(part).map_err(|error| Failed::Impossible(format!("{}: {error}", file.display())))?;
        if document["kind"] == "List" {
            // As kubectl prints several resources.
            documents.extend(document["items"].as_array_mut().map(std::mem::take).unwrap_or_default());
        } else if !document.is_null() {
            documents.push(document);
        }
    }
    Ok(documents)
}
