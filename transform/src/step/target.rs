//! The method and the status that a step gives a message.

use http::{Method, StatusCode};

use crate::{
    engine::Reads,
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
