//! Compiling an extraction.

use std::sync::Arc;

use http::HeaderName;
use jsonpath_rust::parser::{model::JpQuery, parse_json_path};
use regex::Regex;

use super::Extract;
use crate::{
    engine::Reads,
    error::Side,
    flaw::{Flaw, Flaws},
    position::{Located, Position},
    shape::Shape,
};

/// A compiled extraction.
#[derive(Clone, Debug)]
pub(crate) struct Extraction {
    pub(super) name: Arc<str>,
    pub(super) source: Source,
    pub(super) regex: Option<Pattern>,
    pub(super) required: bool,
    pub(super) default: Option<Shape>,
    pub(super) at: Position,
}

/// Where a value is taken from. XML paths and form fields come beside these.
#[derive(Clone, Debug)]
pub(super) enum Source {
    Header(HeaderName),
    Query(String),
    Param(String),
    Cookie(String),
    Body { query: Arc<JpQuery>, path: String },
    Path,
    Text,
}

/// A regular expression and what of its match is the value.
#[derive(Clone, Debug)]
pub(super) struct Pattern {
    pub(super) regex: Regex,
    pub(super) takes: Takes,
}

#[derive(Clone, Debug)]
pub(super) enum Takes {
    Whole,
    FirstGroup,
    Named(Vec<String>),
}

impl Extraction {
    pub(crate) fn compile(name: &str, extract: &Located<Extract>, side: Side) -> Result<Self, Vec<Flaw>> {
        let Located { value: config, at } = extract;
        let mut flaws = Flaws::default();
        let source = flaws.keep_all(source(config, *at, side));
        let regex = config.regex.as_ref().and_then(|regex| flaws.keep(Pattern::compile(regex)));
        let default = config.default.as_ref().and_then(|tree| flaws.keep_all(Shape::compile(tree, side)));
        if name.is_empty() {
            flaws.push(Flaw::new(*at, "a value needs a name"));
        }
        if config.required && config.default.is_some() {
            let flaw = Flaw::new(*at, "a required value cannot have a default");
            flaws.push(flaw.with_hint("leave out `required` or `default`"));
        }
        // Without a source there is a flaw, so this one is never used.
        let source = source.unwrap_or(Source::Path);
        let compiled = Self { name: name.into(), source, regex, required: config.required, default, at: *at };
        flaws.finish(compiled).map_err(|flaws| flaws.into_iter().map(|flaw| flaw.of(&format!("`{name}`"))).collect())
    }

    pub(crate) fn reads(&self) -> Reads {
        let body = matches!(self.source, Source::Body { .. } | Source::Text);
        let default = self.default.as_ref().map_or(Reads::NOTHING, Shape::reads);
        if body { default.and(Reads::BODY) } else { default }
    }
}

fn source(config: &Extract, at: Position, side: Side) -> Result<Source, Vec<Flaw>> {
    let mut flaws = Flaws::default();
    let mut sources = Vec::new();
    if let Some(name) = &config.header {
        let header = HeaderName::try_from(&name.value);
        let header = header.map_err(|_| Flaw::new(name.at, format!("`{}` cannot be a header's name", name.value)));
        sources.extend(flaws.keep(header).map(Source::Header));
    }
    if let Some(path) = &config.body {
        let query = parse_json_path(&path.value);
        let query = query.map_err(|error| bad_json_path(path, &error.to_string()));
        let source = |query| Source::Body { query: Arc::new(query), path: path.value.clone() };
        sources.extend(flaws.keep(query).map(source));
    }
    sources.extend(config.query.as_ref().map(|name| Source::Query(name.value.clone())));
    sources.extend(config.param.as_ref().map(|name| Source::Param(name.value.clone())));
    sources.extend(config.cookie.as_ref().map(|name| Source::Cookie(name.value.clone())));
    sources.extend(config.path.then_some(Source::Path));
    sources.extend(config.text.then_some(Source::Text));
    if side == Side::Response {
        let of_request = |source: &Source| matches!(source, Source::Query(_) | Source::Path | Source::Cookie(_));
        if sources.iter().any(of_request) {
            let flaw = Flaw::new(at, "a response has no query, path or cookies to extract from");
            flaws.push(flaw.with_hint("extract it in a `request` step: `vars` are shared"));
        }
    }
    let given = [config.header.is_some(), config.body.is_some()].into_iter().filter(|given| *given).count();
    let others = sources.iter().filter(|source| !matches!(source, Source::Header(_) | Source::Body { .. })).count();
    if given + others != 1 {
        let flaw = Flaw::new(at, if given + others == 0 { "no source is named" } else { "several sources are named" });
        flaws.push(flaw.with_hint("name one of `header`, `query`, `param`, `cookie`, `path`, `body` and `text`"));
    }
    flaws.finish(()).map(|()| sources.pop().unwrap_or(Source::Path))
}

fn bad_json_path(path: &Located<String>, error: &str) -> Flaw {
    let reason = error.lines().map(str::trim).rfind(|line| line.starts_with('=')).map(|line| line[1..].trim());
    let message = match reason {
        Some(reason) => format!("`{}` is not a JSONPath: {reason}", path.value),
        None => format!("`{}` is not a JSONPath", path.value),
    };
    Flaw::new(path.at, message).with_hint("a JSONPath (RFC 9535) begins with `$`, such as `$.items[0].sku`")
}

impl Pattern {
    fn compile(regex: &Located<String>) -> Result<Self, Flaw> {
        let compiled = Regex::new(&regex.value).map_err(|error| {
            let text = error.to_string();
            let reason = text.lines().last().unwrap_or("").trim_start_matches("error: ");
            Flaw::new(regex.at, format!("`{}` is not a regular expression: {reason}", regex.value))
        })?;
        let names: Vec<_> = compiled.capture_names().flatten().map(str::to_owned).collect();
        let takes = match (names.is_empty(), compiled.captures_len()) {
            (false, _) => Takes::Named(names),
            (true, 1) => Takes::Whole,
            (true, _) => Takes::FirstGroup,
        };
        Ok(Self { regex: compiled, takes })
    }
}
