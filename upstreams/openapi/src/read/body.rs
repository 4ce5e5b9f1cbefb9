//! Bodies: `requestBody`, and the parameters that stand for it in Swagger 2.0.

use serde_json::{Map, Value, json};

use super::{example, line, parameter};
use crate::{
    document::Document,
    files::{At, Broken},
    kind::Kind,
    operation::{Body, Encoding, Media, Schema},
    style::Style,
};

const FORM: &str = "application/x-www-form-urlencoded";
const MULTIPART: &str = "multipart/form-data";

/// Reads a `requestBody`.
pub(super) fn read(body: At<'_>) -> Result<Body, Broken> {
    let body = body.resolved()?;
    let content = body.get("content");
    let mut media = Vec::new();
    for (written, at) in content.iter().flat_map(At::entries) {
        let at = at.resolved()?;
        let schema = at.get("schema");
        media.push(Media {
            range: range(written),
            written: written.to_owned(),
            kind: schema.clone().map_or(Kind::Any, Kind::of),
            example: example(&at),
            encodings: encodings(&at)?,
            schema: schema.map(|schema| Schema::At(schema.place)),
        });
    }
    Ok(Body {
        summary: body.text("description").and_then(line),
        required: body.flag("required").unwrap_or(false),
        media,
    })
}

fn encodings(media: &At<'_>) -> Result<Vec<(String, Encoding)>, Broken> {
    let mut encodings = Vec::new();
    let all = media.get("encoding");
    for (name, at) in all.iter().flat_map(At::entries) {
        let style = at.text("style").map(|name| {
            Style::parse(name).ok_or_else(|| at.broken(format!("there is no style `{name}` of form fields")))
        });
        let encoding = Encoding {
            content_type: at.text("contentType").map(ToOwned::to_owned),
            style: style.transpose()?,
            explode: at.flag("explode"),
            allow_reserved: at.flag("allowReserved").unwrap_or(false),
        };
        encodings.push((name.to_owned(), encoding));
    }
    Ok(encodings)
}

/// The body that `in: body` or `in: formData` parameters of Swagger 2.0 stand for.
pub(super) fn of_parameters(document: &Document, operation: &At<'_>, given: &[At<'_>]) -> Result<Option<Body>, Broken> {
    let root = document.files.root();
    if let Some(body) = given.iter().find(|parameter| parameter.text("in") == Some("body")) {
        let schema = body.get("schema");
        let media = |written: String| Media {
            range: range(&written),
            kind: schema.clone().map_or(Kind::Any, Kind::of),
            example: None,
            encodings: Vec::new(),
            schema: schema.as_ref().map(|schema| Schema::At(schema.place.clone())),
            written,
        };
        return Ok(Some(Body {
            summary: body.text("description").and_then(line),
            required: body.flag("required").unwrap_or(false),
            media: types(operation, &root, "consumes").into_iter().map(media).collect(),
        }));
    }
    let fields: Vec<_> = given.iter().filter(|parameter| parameter.text("in") == Some("formData")).collect();
    if fields.is_empty() {
        return Ok(None);
    }
    let has_file = fields.iter().any(|field| field.text("type") == Some("file"));
    let mut properties = Map::new();
    let mut required = Vec::new();
    let mut encodings = Vec::new();
    let mut kinds = Vec::new();
    for field in &fields {
        let Some(name) = field.text("name") else { return Err(field.broken("the parameter has no `name`")) };
        // The parameter is its own schema.
        let pointer = field.place.pointer.replace('%', "%25");
        properties.insert(name.to_owned(), json!({"$ref": format!("#{pointer}")}));
        if field.flag("required") == Some(true) {
            required.push(name);
        }
        let (style, explode) = parameter::collection(field, Style::Form)?;
        let encoding = Encoding { style: Some(style), explode: Some(explode), ..Encoding::default() };
        encodings.push((name.to_owned(), encoding));
        kinds.push((name.to_owned(), Kind::of((*field).clone())));
    }
    let is_required = !required.is_empty();
    let schema = json!({"type": "object", "properties": properties, "required": required});
    let mut ranges: Vec<_> = types(operation, &root, "consumes");
    ranges.retain(|range| range == FORM || range == MULTIPART);
    if has_file || ranges.is_empty() {
        ranges = vec![if has_file { MULTIPART } else { FORM }.to_owned()];
    }
    let media = |written: String| Media {
        range: range(&written),
        written,
        kind: Kind::Object(kinds.clone()),
        example: None,
        encodings: encodings.clone(),
        schema: Some(Schema::Made { file: fields[0].place.file, value: Value::clone(&schema) }),
    };
    Ok(Some(Body { summary: None, required: is_required, media: ranges.into_iter().map(media).collect() }))
}

/// `consumes` or `produces`; JSON where a document does not say.
pub(super) fn types(operation: &At<'_>, root: &At<'_>, key: &str) -> Vec<String> {
    let given = operation.get(key).or_else(|| root.get(key));
    let given = given.iter().flat_map(At::items).filter_map(|item| item.value.as_str());
    let types: Vec<_> = given.map(range).collect();
    if types.is_empty() { vec!["application/json".to_owned()] } else { types }
}

/// A media type in lower case, without parameters.
pub(super) fn range(written: &str) -> String {
    written.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}
