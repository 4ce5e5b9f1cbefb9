//! `callgate routes` and `callgate explain`.

use callgate_core::{Body, Registry};
use http::{HeaderName, HeaderValue, Request, Uri};
use serde_json::{Value, json};

use super::{
    answer::{Answer, Failed, masked},
    load,
};
use crate::source::Place;

pub(super) fn routes(config: &Place, registry: &Registry) -> Result<Answer, Failed> {
    let rows = load::plan(config, registry)?.route_list();
    Ok(Answer::new(table(&rows), to_json(&rows)))
}

/// The same for programs: a list of objects with `host`, `match`, `to` and `name`.
pub(crate) fn to_json(rows: &[[String; 4]]) -> Value {
    rows.iter()
        .map(|[host, matches, to, name]| json!({"host": host, "match": matches, "to": to, "name": name}))
        .collect()
}

/// Host, match, destination and name of routes, for people.
pub(crate) fn table(rows: &[[String; 4]]) -> String {
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let (host, matches) = (width(0), width(1));
    let lines = rows.iter().map(|[h, m, to, name]| {
        let name = if name == m || *name == format!("{h} {m}") { "" } else { name };
        format!("{h:<host$}  {m:<matches$}  -> {to}  {name}").trim_end().to_owned() + "\n"
    });
    lines.collect()
}

pub(super) fn explain(
    config: &Place,
    registry: &Registry,
    method: &str,
    url: &str,
    headers: &[String],
) -> Result<Answer, Failed> {
    let plan = load::plan(config, registry)?;
    let mut request = Request::new(Body::empty());
    *request.method_mut() =
        method.parse().map_err(|_| Failed::Usage(format!("`{method}` is no request method: write GET, POST, ...")))?;
    *request.uri_mut() = uri(url)?;
    for line in headers {
        let wrong = || Failed::Usage(format!("`{line}` is no header: write -H 'name: value'"));
        let (name, value) = line.split_once(':').ok_or_else(wrong)?;
        let name: HeaderName = name.trim().parse().map_err(|_| wrong())?;
        let value = HeaderValue::from_str(value.trim()).map_err(|_| wrong())?;
        request.headers_mut().append(name, value);
    }
    let explanation = plan.explain(request);
    Ok(Answer::new(plan.masked(&explanation.to_string()), masked(&plan, explanation.to_json())))
}

fn uri(url: &str) -> Result<Uri, Failed> {
    let parsed: Uri = url.parse().map_err(|error| Failed::Usage(format!("`{url}` is no URL: {error}")))?;
    if parsed.scheme().is_some() || url.starts_with('/') {
        return Ok(parsed);
    }
    Err(Failed::Usage(format!("`{url}` is no URL: write http://host/path, or /path")))
}
