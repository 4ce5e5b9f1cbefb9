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
    xml::ElementPath,
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

/// Where a value is taken from.
#[derive(Clone, Debug)]
pub(super) enum Source {
    Header(HeaderName),
    Query(String),
    Param(String),
    Cookie(String),
    Body { query: Arc<JpQuery>, path: String },
    Xml { elements: ElementPath, path: String },
    Form(String),
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
    /// A text with groups in it.
    Replaced(String),
}

impl Extraction {
    pub(crate) fn compile(name: &str, extract: &Located<Extract>, side: Side) -> Result<Self, Vec<Flaw>> {
        let Located { value: config, at } = extract;
        let mut flaws = Flaws::default();
        let source = flaws.keep_all(source(config, *at, side));
        let regex =
            config.regex.as_ref().and_then(|regex| flaws.keep(Pattern::compile(regex, config.replace.as_ref())));
        let default = flaws.meanwhile(
            |flaw| flaw.within("default"),
            |flaws| flaws.keep_all(Shape::compile(config.default.as_ref()?, side)),
        );
        if name.is_empty() {
            flaws.push(Flaw::new(*at, "a value needs a name"));
        }
        if let (Some(replace), None) = (&config.replace, &config.regex) {
            let flaw = Flaw::new(replace.at, "`replace` needs a `regex` whose groups it takes");
            flaws.push(flaw.within("replace"));
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
        let body = matches!(self.source, Source::Body { .. } | Source::Xml { .. } | Source::Form(_) | Source::Text);
        let default = self.default.as_ref().map_or(Reads::NOTHING, Shape::reads);
        if body { default.and(Reads::BODY) } else { default }
    }
}

fn source(config: &Extract, at: Position, side: Side) -> Result<Source, Vec<Flaw>> {
    let mut flaws = Flaws::default();
    let mut sources = Vec::new();
    if let Some(name) = &config.header {
        let header = HeaderName::try_from(&name.value);
        let header = header
            .map_err(|_| Flaw::new(name.at, format!("`{}` cannot be a header's name", name.value)).within("header"));
        sources.extend(flaws.keep(header).map(Source::Header));
    }
    if let Some(path) = &config.body {
        let query = parse_json_path(&path.value);
        let query = query.map_err(|error| bad_json_path(path, &error.to_string()));
        let source = |query| Source::Body { query: Arc::new(query), path: path.value.clone() };
        sources.extend(flaws.keep(query).map(source));
    }
    if let Some(path) = &config.xml {
        let elements = ElementPath::parse(&path.value).map_err(|segment| {
            let flaw =
                Flaw::new(path.at, format!("`{}` is not a path of elements: `{segment}` is no name", path.value));
            flaw.within("xml")
                .with_hint("names of elements with slashes between, such as `Envelope/Body/Price` or `Order/@id`")
        });
        let source = |elements| Source::Xml { elements, path: path.value.clone() };
        sources.extend(flaws.keep(elements).map(source));
    }
    sources.extend(config.form.as_ref().map(|name| Source::Form(name.value.clone())));
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
    // A source with a flaw of its own is given too.
    let given = [
        config.header.is_some(),
        config.body.is_some(),
        config.xml.is_some(),
        config.form.is_some(),
        config.query.is_some(),
        config.param.is_some(),
        config.cookie.is_some(),
        config.path,
        config.text,
    ];
    let given = given.into_iter().filter(|given| *given).count();
    if given != 1 {
        let flaw = Flaw::new(at, if given == 0 { "no source is named" } else { "several sources are named" });
        flaws.push(
            flaw.with_hint(
                "name one of `header`, `query`, `param`, `cookie`, `path`, `body`, `xml`, `form` and `text`",
            ),
        );
    }
    flaws.finish(()).map(|()| sources.pop().unwrap_or(Source::Path))
}

fn bad_json_path(path: &Located<String>, error: &str) -> Flaw {
    let reason = error.lines().map(str::trim).rfind(|line| line.starts_with('=')).map(|line| line[1..].trim());
    let message = match reason {
        Some(reason) => format!("`{}` is not a JSONPath: {reason}", path.value),
        None => format!("`{}` is not a JSONPath", path.value),
    };
    Flaw::new(path.at, message)
        .within("body")
        .with_hint("a JSONPath (RFC 9535) begins with `$`, such as `$.items[0].sku`")
}

impl Pattern {
    fn compile(regex: &Located<String>, replace: Option<&Located<String>>) -> Result<Self, Flaw> {
        let compiled = Regex::new(&regex.value).map_err(|error| {
            let text = error.to_string();
            let reason = text.lines().last().unwrap_or("").trim_start_matches("error: ");
            Flaw::new(regex.at, format!("`{}` is not a regular expression: {reason}", regex.value)).within("regex")
        })?;
        if let Some(replace) = replace {
            if let Some(group) = unknown_group(&replace.value, &compiled) {
                let flaw = Flaw::new(replace.at, format!("`{}` has no group `{group}`", regex.value)).within("replace");
                return Err(
                    flaw.with_hint("a name ends where it can, so write `$${1}st` before letters; `$$` is a dollar")
                );
            }
            return Ok(Self { regex: compiled, takes: Takes::Replaced(replace.value.clone()) });
        }
        let names: Vec<_> = compiled.capture_names().flatten().map(str::to_owned).collect();
        let takes = match (names.is_empty(), compiled.captures_len()) {
            (false, _) => Takes::Named(names),
            (true, 1) => Takes::Whole,
            (true, _) => Takes::FirstGroup,
        };
        Ok(Self { regex: compiled, takes })
    }
}

/// The first group that a replacement names and the expression does not have.
fn unknown_group<'a>(replace: &'a str, regex: &Regex) -> Option<&'a str> {
    let mut rest = replace;
    while let Some(at) = rest.find('$') {
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix('$') {
            rest = after;
            continue;
        }
        let group = match rest.strip_prefix('{') {
            Some(braced) => braced.split_once('}').map_or(braced, |(group, _)| group),
            None => {
                let end = rest.find(|char: char| !char.is_ascii_alphanumeric() && char != '_').unwrap_or(rest.len());
                &rest[..end]
            }
        };
        let known = match group.parse::<usize>() {
            Ok(number) => number < regex.captures_len(),
            Err(_) => regex.capture_names().flatten().any(|name| name == group),
        };
        if !known {
            return Some(group);
        }
    }
    None
}
