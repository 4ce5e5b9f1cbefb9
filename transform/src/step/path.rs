//! The path that a step gives a request.

use std::{borrow::Cow, fmt};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{Error, MapAccess, Visitor, value::MapAccessDeserializer},
};

use crate::{
    engine::{self, Reads},
    error::{Side, TransformError},
    flaw::Flaw,
    glob::Glob,
    position::Located,
    scope::Scope,
    template::{Escaping, Template},
    text::Text,
    tree::BRANCH,
};

/// A path to send: a template, or a mapping of the template and the globs of which the rendered path has to match one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathTemplate {
    /// The template.
    pub template: Located<Text>,
    /// The globs; without them the template has to begin with literal text.
    pub allow: Vec<Located<String>>,
}

/// The mapping.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Long {
    /// The template.
    template: Located<Text>,
    /// Globs of the paths that it may render.
    #[serde(default)]
    allow: Vec<Located<String>>,
}

struct PathVisitor;

impl<'de> Visitor<'de> for PathVisitor {
    type Value = PathTemplate;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a path, or a mapping with `template` and `allow`")
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<PathTemplate, D::Error> {
        Located::deserialize(deserializer).map(|template| PathTemplate { template, allow: Vec::new() })
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, deserializer: D) -> Result<PathTemplate, D::Error> {
        deserializer.deserialize_any(self)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<PathTemplate, E> {
        Ok(PathTemplate { template: Located::nowhere(text.to_owned().into()), allow: Vec::new() })
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<PathTemplate, A::Error> {
        let Long { template, allow } = Long::deserialize(MapAccessDeserializer::new(map))?;
        Ok(PathTemplate { template, allow })
    }
}

impl<'de> Deserialize<'de> for PathTemplate {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_newtype_struct(BRANCH, PathVisitor)
    }
}

impl Serialize for PathTemplate {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Full<'a> {
            template: &'a Located<Text>,
            allow: &'a [Located<String>],
        }

        match &self.allow[..] {
            [] => self.template.serialize(serializer),
            allow => Full { template: &self.template, allow }.serialize(serializer),
        }
    }
}

impl JsonSchema for PathTemplate {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "PathTemplate".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let long = Long::json_schema(generator);
        json_schema!({"anyOf": [{"type": "string"}, long]})
    }
}

/// A compiled path. What a value renders stays inside its segment.
#[derive(Clone, Debug)]
pub(super) struct PathPlan {
    template: Template,
    allow: Vec<Glob>,
}

impl PathPlan {
    pub(super) fn compile(path: &PathTemplate, side: Side) -> Result<Self, Flaw> {
        let text = &path.template;
        let template = Template::compile(text, side, Escaping::Path)?;
        let literals = match template.as_constant() {
            Some(constant) => vec![constant],
            None => engine::literals(template.source()),
        };
        if literals.iter().any(|literal| literal.contains(['?', '#'])) {
            let flaw = Flaw::new(text.at, "a path has no `?` and no `#`");
            return Err(flaw.with_hint("set the query with `query: {set: {name: value}}`"));
        }
        if let Some(constant) = template.as_constant() {
            if let Some(glob) = path.allow.first() {
                let flaw = Flaw::new(glob.at, "the path is no template, so there is nothing to confine");
                return Err(flaw.with_hint("leave `allow` out").within("allow"));
            }
            let checked = check(constant).map_err(|message| Flaw::new(text.at, message))?;
            let constant = Located { value: Text::from(checked), at: text.at };
            return Ok(Self { template: Template::compile(&constant, side, Escaping::Path)?, allow: Vec::new() });
        }
        if path.allow.is_empty()
            && let Some(problem) = unconfined(template.source())
        {
            return Err(Flaw::new(text.at, problem).with_hint(
                "begin with literal text (`/orders/{{ ... }}`), or list what is allowed: `path: {template: ..., allow: \
                 [\"/orders/*\"]}`",
            ));
        }
        Ok(Self { template, allow: path.allow.iter().map(|glob| Glob::new(&glob.value)).collect() })
    }

    /// The path: it begins with a slash, has no dot segments, and no character that may not stand in one.
    ///
    /// # Errors
    /// As [`Template::render`]; a value with a slash; a path that no glob of `allow` matches.
    pub(super) fn render(&self, scope: &Scope) -> Result<String, TransformError> {
        let failed = |message| TransformError::new(scope.side(), self.template.at(), format!("`path`: {message}"));
        if let Some(constant) = self.template.as_constant() {
            return Ok(constant.to_owned());
        }
        let text = self.template.render(scope).map_err(|error| error.of("`path`"))?;
        let path = check(text.trim()).map_err(failed)?;
        if !self.allow.is_empty() && !self.allow.iter().any(|glob| glob.matches(&path)) {
            return Err(failed("the rendered path is not one of those allowed"));
        }
        Ok(path)
    }

    pub(super) const fn reads(&self) -> Reads {
        self.template.reads()
    }
}

/// Why a value of the request could name any path: nothing literal stands before it but the slash that every path has.
///
/// A capture of the route is confined by the route: what it holds is a part of the path that the client asked for.
fn unconfined(source: &str) -> Option<&'static str> {
    let first = engine::literals(source).first().copied().filter(|_| !source.starts_with('{')).unwrap_or("");
    let prefix = first.trim_start();
    if prefix.is_empty() {
        Some("a value of the request could name any path here")
    } else if !prefix.starts_with('/') {
        Some("a path begins with `/`")
    } else if prefix.trim_matches('/').is_empty() {
        let captured =
            engine::first_expression_names(source).is_some_and(|names| names.iter().all(|name| *name == "params"));
        (!captured).then_some("a value of the request could name any path here")
    } else {
        None
    }
}

fn check(path: &str) -> Result<String, &'static str> {
    if !path.starts_with('/') {
        return Err("a path begins with `/`");
    }
    if engine::has_dot_segment(path) {
        return Err("a path cannot have the segments `.` and `..`");
    }
    Ok(engine::encode_path_literal(path))
}
