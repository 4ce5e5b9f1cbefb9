//! The method, the path and the status that a step gives a message.

use http::{Method, StatusCode};

use crate::{
    engine::{self, Reads},
    error::{Side, TransformError},
    flaw::Flaw,
    position::{Located, Position},
    scope::Scope,
    template::{Escaping, Template},
    text::Text,
};

/// A method to send.
#[derive(Clone, Debug)]
pub(super) enum MethodPlan {
    Constant(Method),
    Template(Template),
}

impl MethodPlan {
    pub(super) fn compile(text: &Located<Text>, side: Side) -> Result<Self, Flaw> {
        let template = template(text, side, Escaping::None, "`method`")?;
        match template.as_constant() {
            Some(constant) => match constant.parse() {
                Ok(method) => Ok(Self::Constant(method)),
                Err(_) => Err(Flaw::new(text.at, format!("`{constant}` is not a method"))),
            },
            None => Ok(Self::Template(template)),
        }
    }

    pub(super) fn render(&self, scope: &Scope) -> Result<Method, TransformError> {
        match self {
            Self::Constant(method) => Ok(method.clone()),
            Self::Template(template) => rendered(template, scope, "`method`", "the rendered text is not a method"),
        }
    }

    pub(super) const fn reads(&self) -> Reads {
        match self {
            Self::Constant(_) => Reads::NOTHING,
            Self::Template(template) => template.reads(),
        }
    }
}

/// A status to answer.
#[derive(Clone, Debug)]
pub(super) enum StatusPlan {
    Constant(StatusCode),
    Template(Template),
}

impl StatusPlan {
    pub(super) fn compile(text: &Located<Text>, side: Side) -> Result<Self, Flaw> {
        let template = template(text, side, Escaping::None, "`status`")?;
        match template.as_constant() {
            Some(constant) => match status(constant) {
                Some(status) => Ok(Self::Constant(status)),
                None => Err(Flaw::new(text.at, format!("`{constant}` is not a status from 200 to 599"))),
            },
            None => Ok(Self::Template(template)),
        }
    }

    pub(super) fn render(&self, scope: &Scope) -> Result<StatusCode, TransformError> {
        match self {
            Self::Constant(status) => Ok(*status),
            Self::Template(template) => {
                let text = template.render_cow(scope).map_err(|error| error.of("`status`"))?;
                status(text.trim()).ok_or_else(|| {
                    let message = "`status`: the rendered text is not a status from 200 to 599";
                    TransformError::new(scope.side(), template.at(), message)
                })
            }
        }
    }

    pub(super) const fn reads(&self) -> Reads {
        match self {
            Self::Constant(_) => Reads::NOTHING,
            Self::Template(template) => template.reads(),
        }
    }
}

fn status(text: &str) -> Option<StatusCode> {
    let code = text.parse::<u16>().ok().filter(|code| (200..600).contains(code))?;
    StatusCode::from_u16(code).ok()
}

/// A path to send. What a value renders stays inside its segment.
#[derive(Clone, Debug)]
pub(super) struct PathPlan(Template);

impl PathPlan {
    pub(super) fn compile(text: &Located<Text>, side: Side) -> Result<Self, Flaw> {
        let template = template(text, side, Escaping::Path, "`path`")?;
        let literals = if template.as_constant().is_some() { vec![text.value.as_str()] } else { engine::literals(template.source()) };
        if literals.iter().any(|literal| literal.contains(['?', '#'])) {
            let flaw = Flaw::new(text.at, "`path`: a path has no `?` and no `#`");
            return Err(flaw.with_hint("set the query with `query: {set: {name: value}}`"));
        }
        match template.as_constant() {
            Some(constant) => {
                let checked = check(constant).map_err(|message| Flaw::new(text.at, format!("`path`: {message}")))?;
                let constant = Located { value: Text::from(checked), at: text.at };
                Template::compile(&constant, side, Escaping::Path).map(Self)
            }
            None => Ok(Self(template)),
        }
    }

    /// The path: it begins with a slash, has no dot segments, and no character that may not stand in one.
    pub(super) fn render(&self, scope: &Scope) -> Result<String, TransformError> {
        let failed = |message| TransformError::new(scope.side(), self.0.at(), format!("`path`: {message}"));
        if let Some(constant) = self.0.as_constant() {
            return Ok(constant.to_owned());
        }
        let text = self.0.render(scope).map_err(|error| error.of("`path`"))?;
        check(text.trim()).map_err(failed)
    }

    pub(super) const fn reads(&self) -> Reads {
        self.0.reads()
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

fn template(text: &Located<Text>, side: Side, escaping: Escaping, subject: &str) -> Result<Template, Flaw> {
    Template::compile(text, side, escaping).map_err(|flaw| flaw.of(subject))
}

fn rendered(
    template: &Template,
    scope: &Scope,
    subject: &str,
    complaint: &'static str,
) -> Result<Method, TransformError> {
    let text = template.render_cow(scope).map_err(|error| error.of(subject))?;
    let unfit = |at: Position| TransformError::new(scope.side(), at, complaint).of(subject);
    text.trim().parse().map_err(|_| unfit(template.at()))
}
