//! Compiling a template, and saying what is wrong with one.

use std::collections::HashSet;

use minijinja::{Environment, Error, ErrorKind, Expression, Template};

use super::{
    ENVIRONMENT, factors,
    scan::{self, Applied},
    suggest::{FILTERS, nearest},
};
use crate::{
    error::Side,
    scope::{REQUEST_NAMES, RESPONSE_NAMES},
    template::{Escaping, Program},
};

/// What a template reads, as far as it decides what has to be kept and buffered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Reads {
    /// The body of the message itself.
    pub(crate) body: bool,
    /// Anything of the request, from a response.
    pub(crate) request: bool,
    /// The body of the request, from a response.
    pub(crate) request_body: bool,
    /// How the exchange went: the status, or the code of the gateway's own failure, from a response.
    pub(crate) outcome: bool,
}

impl Reads {
    pub(crate) const NOTHING: Self = Self { body: false, request: false, request_body: false, outcome: false };
    pub(crate) const BODY: Self = Self { body: true, ..Self::NOTHING };

    pub(crate) const fn and(self, other: Self) -> Self {
        Self {
            body: self.body || other.body,
            request: self.request || other.request,
            request_body: self.request_body || other.request_body,
            outcome: self.outcome || other.outcome,
        }
    }

    /// The engine's analysis takes `{% set body = body.a %}` for no read, so that a name which it does not report
    /// counts as read wherever it stands.
    fn of(variables: &HashSet<String>, names: &[&str], side: Side) -> Self {
        let unreported = |name: &&str| !variables.iter().any(|variable| variable.split('.').next() == Some(*name));
        let unreported = names.iter().copied().filter(unreported);
        variables.iter().map(String::as_str).chain(unreported).fold(Self::NOTHING, |reads, variable| {
            let mut names = variable.split('.');
            let found = match (names.next().unwrap_or(""), side) {
                ("body" | "text", _) => Self::BODY,
                ("method" | "path" | "query" | "query_all", Side::Response) => Self { request: true, ..Self::NOTHING },
                ("request", Side::Response) => {
                    let body = matches!(names.next(), None | Some("body" | "text"));
                    Self { request: true, request_body: body, ..Self::NOTHING }
                }
                ("status" | "error", Side::Response) => Self { outcome: true, ..Self::NOTHING },
                _ => Self::NOTHING,
            };
            reads.and(found)
        })
    }
}

/// What is wrong with a template: a message and what would be right, and the byte of the source where it is wrong.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) message: String,
    pub(crate) hint: Option<String>,
    pub(crate) offset: usize,
}

/// Compiles a text with tags in it.
pub(crate) fn compile_text(source: &str, escaping: Escaping, side: Side) -> Result<(Program, Reads), Refusal> {
    let (program, applied) = program(source, escaping, &Reach::Message(side))?;
    let reads = Reads::of(&program.borrow_dependent().undeclared_variables(true), &applied.names, side);
    Ok((program, reads))
}

/// Compiles a text with tags in it over a record with these names.
pub(crate) fn compile_record_text(source: &str, names: &[&str]) -> Result<Program, Refusal> {
    program(source, Escaping::None, &Reach::Record(names)).map(|(program, _)| program)
}

fn program<'s>(source: &'s str, escaping: Escaping, reach: &Reach<'_>) -> Result<(Program, Applied<'s>), Refusal> {
    let checked = factors::checked_text(source).into_owned();
    let program = Program::try_new(checked, |source| parse(escaping.template_name(), source));
    let program = program.map_err(|error| refusal(&error, source))?;
    let applied = scan::applied(source);
    check_applied(&applied, source)?;
    check_variables(&program.borrow_dependent().undeclared_variables(false), reach)
        .map_err(|unknown| unknown.at_name(&applied, source))?;
    Ok((program, applied))
}

fn parse<'a>(name: &'a str, source: &'a str) -> Result<Template<'a, 'a>, Error> {
    let environment: &'a Environment<'a> = &ENVIRONMENT;
    environment.template_from_named_str(name, source)
}

/// Compiles an expression.
pub(crate) fn compile_expression(source: &str, side: Side) -> Result<(Expression<'static, 'static>, Reads), Refusal> {
    let (expression, applied) = expression(source, &Reach::Message(side))?;
    let reads = Reads::of(&expression.undeclared_variables(true), &applied.names, side);
    Ok((expression, reads))
}

/// Compiles an expression over a record with these names.
pub(crate) fn compile_record_expression(source: &str, names: &[&str]) -> Result<Expression<'static, 'static>, Refusal> {
    expression(source, &Reach::Record(names)).map(|(expression, _)| expression)
}

fn expression<'s>(source: &'s str, reach: &Reach<'_>) -> Result<(Expression<'static, 'static>, Applied<'s>), Refusal> {
    let compiled = ENVIRONMENT.compile_expression_owned(factors::checked_expression(source).into_owned());
    let expression = compiled.map_err(|error| refusal(&error, source))?;
    let mut applied = Applied::default();
    scan::applied_in(source, &mut applied);
    check_applied(&applied, source)?;
    check_variables(&expression.undeclared_variables(false), reach)
        .map_err(|unknown| unknown.at_name(&applied, source))?;
    Ok((expression, applied))
}

/// What a template's names stand for.
enum Reach<'n> {
    Message(Side),
    Record(&'n [&'n str]),
}

fn check_applied(applied: &Applied<'_>, source: &str) -> Result<(), Refusal> {
    let mut state = ENVIRONMENT.empty_state();
    let unknown = |kind: &str, name: &str, meant: Option<&str>| Refusal {
        message: format!("there is no {kind} `{name}`"),
        hint: meant.map(did_you_mean),
        offset: offset(name, source),
    };
    for name in &applied.filters {
        if matches!(state.apply_filter(name, &[]), Err(error) if error.kind() == ErrorKind::UnknownFilter) {
            return Err(unknown("filter", name, nearest(name, FILTERS)));
        }
    }
    for name in &applied.tests {
        if matches!(state.perform_test(name, &[]), Err(error) if error.kind() == ErrorKind::UnknownTest) {
            return Err(unknown("test", name, None));
        }
    }
    Ok(())
}

/// The names in reach.
pub(crate) const fn names(side: Side) -> &'static [&'static str] {
    match side {
        Side::Request => REQUEST_NAMES,
        Side::Response => RESPONSE_NAMES,
    }
}

/// Where a slice of the source begins in it.
fn offset(part: &str, source: &str) -> usize {
    part.as_ptr().addr().saturating_sub(source.as_ptr().addr()).min(source.len())
}

/// A value that a template names and nothing has.
struct UnknownValue {
    name: String,
    hint: String,
}

impl UnknownValue {
    fn at_name(self, applied: &Applied<'_>, source: &str) -> Refusal {
        let found = applied.names.iter().find(|name| **name == self.name);
        Refusal {
            message: format!("there is no value `{}`", self.name),
            hint: Some(self.hint),
            offset: found.map_or(0, |name| offset(name, source)),
        }
    }
}

fn check_variables(variables: &HashSet<String>, reach: &Reach<'_>) -> Result<(), UnknownValue> {
    let (known, of_message) = match reach {
        Reach::Message(side) => (names(*side), true),
        Reach::Record(names) => (*names, false),
    };
    let is_global = |name: &str| ENVIRONMENT.globals().any(|(global, _)| global == name);
    let mut unknown: Vec<_> =
        variables.iter().filter(|name| !known.contains(&name.as_str()) && !is_global(name)).collect();
    unknown.sort();
    let Some(name) = unknown.first() else { return Ok(()) };
    let hint = if of_message && matches!(name.as_str(), "status" | "request" | "error") {
        format!("`{name}` is in reach of response steps only")
    } else if let Some(meant) = nearest(name, known) {
        did_you_mean(meant)
    } else if !of_message {
        format!("in reach are {}", known.join(", "))
    } else {
        format!(
            "in reach are {}; extracted values are under `vars`, and a name with a dash is written `headers['x-name']` \
             or `headers.x_name`",
            known.join(", ")
        )
    };
    Err(UnknownValue { name: (*name).clone(), hint })
}

fn did_you_mean(name: &str) -> String {
    format!("did you mean `{name}`?")
}

fn refusal(error: &Error, source: &str) -> Refusal {
    Refusal { message: problem(error, source), hint: None, offset: begins(error, source) }
}

/// An engine's error in one line, with its place inside the template when that has several lines.
pub(crate) fn problem(error: &Error, source: &str) -> String {
    let mut message = match (error.kind(), error.detail()) {
        (ErrorKind::OutOfFuel, _) => "the template does too much work".to_owned(),
        (ErrorKind::UndefinedError, Some(detail)) => detail.to_owned(),
        (kind, Some(detail)) => format!("{kind}: {detail}"),
        (kind, None) => kind.to_string(),
    };
    if source.contains('\n')
        && let Some(place) = place(error, source)
    {
        message.push_str(&place);
    }
    message
}

/// The byte of the source where an error begins. That of an undefined value is where the value stands, which the engine
/// tells only by its name when a filter or an operator was given it.
pub(crate) fn begins(error: &Error, source: &str) -> usize {
    let start = factors::start(error, source).unwrap_or(0);
    let detail = error.detail().filter(|_| error.kind() == ErrorKind::UndefinedError);
    let Some(name) = detail.and_then(|detail| detail.strip_prefix('`')?.split('`').next()) else { return start };
    match (source.get(..start), source.get(start..)) {
        (Some(before), Some(rest)) if !rest.starts_with(name) => {
            before.rfind(name).or_else(|| rest.find(name).map(|found| start + found)).unwrap_or(start)
        }
        _ => start,
    }
}

fn place(error: &Error, source: &str) -> Option<String> {
    let line = error.line()?;
    let start = factors::start(error, source).and_then(|start| source.get(..start));
    match start {
        Some(before) => {
            let column = before.rsplit('\n').next().unwrap_or("").chars().count() + 1;
            Some(format!(" (line {line}, column {column} of the template)"))
        }
        None => Some(format!(" (line {line} of the template)")),
    }
}
