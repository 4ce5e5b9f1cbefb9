//! Parameters.

use super::{example, line};
use crate::{
    document::{Document, Version},
    files::{At, Broken},
    kind::Kind,
    operation::{In, Parameter, Schema},
    style::Style,
};

/// Headers that the specification leaves to other parts of a document.
const IGNORED: [&str; 3] = ["accept", "content-type", "authorization"];

/// Reads a parameter; nothing where it is none of those that stand beside a body, or is to be ignored.
pub(super) fn read(document: &Document, at: &At<'_>) -> Result<Option<Parameter>, Broken> {
    let place = match at.text("in") {
        Some("path") => In::Path,
        Some("query") => In::Query,
        Some("header") => In::Header,
        Some("cookie") => In::Cookie,
        Some("body" | "formData") if document.version == Version::V2 => return Ok(None),
        Some(other) => return Err(at.broken(format!("a parameter can't stand in `{other}`"))),
        None => return Err(at.broken("the parameter does not say where it stands (`in`)")),
    };
    let Some(name) = at.text("name").filter(|name| !name.is_empty()) else {
        return Err(at.broken("the parameter has no `name`"));
    };
    if place == In::Header && IGNORED.contains(&name.to_ascii_lowercase().as_str()) {
        return Ok(None);
    }
    if place == In::Header && http::HeaderName::try_from(name).is_err() {
        return Err(at.broken(format!("`{name}` is no name of a header")));
    }
    let default = match place {
        In::Path | In::Header => Style::Simple,
        In::Query | In::Cookie => Style::Form,
    };
    let content = at.get("content").and_then(|content| {
        let (range, media) = content.entries().next()?;
        Some((range.contains("json"), media))
    });
    let schema = match (&content, document.version) {
        (Some((_, media)), _) => media.get("schema"),
        // The parameter is its own schema.
        (None, Version::V2) => Some(at.clone()),
        (None, _) => at.get("schema"),
    };
    let (style, explode) = match document.version {
        Version::V2 => collection(at, default)?,
        _ => {
            let named = at.text("style").map(|name| {
                Style::parse(name).ok_or_else(|| at.broken(format!("there is no style `{name}` of parameters")))
            });
            let style = named.transpose()?.unwrap_or(default);
            if !fits(style, place) {
                return Err(
                    at.broken(format!("the parameter `{name}` can't have this style in the {}", place.as_str()))
                );
            }
            (style, at.flag("explode").unwrap_or(matches!(style, Style::Form | Style::DeepObject)))
        }
    };
    let example = match (&content, example(at)) {
        (_, Some(example)) => Some(example),
        (Some((_, media)), None) => super::example(media),
        (None, None) => None,
    };
    Ok(Some(Parameter {
        name: name.to_owned(),
        place,
        summary: at.text("description").and_then(line),
        required: place == In::Path || at.flag("required").unwrap_or(false),
        style,
        explode,
        allow_reserved: at.flag("allowReserved").unwrap_or(false),
        is_json: content.as_ref().is_some_and(|(is_json, _)| *is_json),
        kind: schema.clone().map_or(Kind::Any, Kind::of),
        schema: schema.map(|schema| Schema::At(schema.place)),
        example,
    }))
}

/// A parameter that stands in a path without being declared.
pub(super) fn undeclared(name: &str) -> Parameter {
    Parameter {
        name: name.to_owned(),
        place: In::Path,
        summary: None,
        required: true,
        style: Style::Simple,
        explode: false,
        allow_reserved: false,
        is_json: false,
        kind: Kind::Text,
        schema: None,
        example: None,
    }
}

fn fits(style: Style, place: In) -> bool {
    match style {
        Style::Matrix | Style::Label => place == In::Path,
        Style::Simple => matches!(place, In::Path | In::Header),
        Style::Form => matches!(place, In::Query | In::Cookie),
        Style::SpaceDelimited | Style::PipeDelimited | Style::TabDelimited | Style::DeepObject => place == In::Query,
    }
}

/// `collectionFormat` of Swagger 2.0.
pub(super) fn collection(at: &At<'_>, default: Style) -> Result<(Style, bool), Broken> {
    Ok(match at.text("collectionFormat") {
        None | Some("csv") => (default, false),
        Some("multi") => (Style::Form, true),
        Some("ssv") => (Style::SpaceDelimited, false),
        Some("pipes") => (Style::PipeDelimited, false),
        Some("tsv") => (Style::TabDelimited, false),
        Some(other) => return Err(at.broken(format!("there is no collectionFormat `{other}`"))),
    })
}
