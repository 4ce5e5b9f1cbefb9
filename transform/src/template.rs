//! Templates and expressions, compiled when the configuration loads.

use std::{borrow::Cow, fmt, sync::Arc};

use minijinja::{Error, Value};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use self_cell::self_cell;
use serde::{Deserialize, Deserializer};

use crate::{
    engine::{self, Reads},
    error::{Side, TransformError},
    flaw::Flaw,
    lookup::Lookup,
    position::{Located, Position},
    scope::{Scope, is_missing},
    source::Source,
    step,
    text::Text,
};

type Parsed<'source> = minijinja::Template<'source, 'source>;

self_cell!(
    /// A compiled text and the source that it borrows from.
    pub(crate) struct Program {
        owner: String,
        #[covariant]
        dependent: Parsed,
    }
);

/// What happens to the values that a template renders.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Escaping {
    /// They stand as they are.
    None,
    /// They stay inside one segment of a path: one with a `/` is an error, and what else may not stand there is escaped.
    Path,
    /// They are escaped as one segment, and the rendered path is checked: it is what a client is sent to.
    Location,
    /// They are escaped as text and attributes of XML.
    Xml,
}

#[derive(Clone)]
enum Form {
    Constant(Arc<str>),
    /// A lone expression, which renders without the engine's output.
    Lone(Expression),
    /// A text with mere lookups in it, which renders without the engine.
    Lookups(Arc<[Piece]>),
    Program(Arc<Program>),
}

enum Piece {
    Literal(Box<str>),
    Lookup(Lookup, Source),
}

impl Form {
    /// The form of a text that needs nothing of the engine but expressions.
    fn without_engine(source: &Source, side: Side) -> Result<Option<Self>, Flaw> {
        let Some(pieces) = engine::expressions_in_text(source.as_str()) else { return Ok(None) };
        if let [Err(lone)] = pieces[..] {
            return Expression::compile(source.cut(lone), side).map(|expression| Some(Self::Lone(expression)));
        }
        let piece = |piece| match piece {
            Ok(literal) => Some(Piece::Literal(Box::from(literal))),
            Err(code) => Some(Piece::Lookup(Lookup::parse(code, engine::names(side))?, source.cut(code))),
        };
        Ok(pieces.into_iter().map(piece).collect::<Option<_>>().map(Self::Lookups))
    }
}

/// A text with Jinja tags (`{{ }}`, `{% %}`), compiled. Text without tags is a constant.
///
/// Deserializing compiles at once, for a request's values. A clone is cheap.
#[derive(Clone)]
pub struct Template {
    form: Form,
    escaping: Escaping,
    source: Source,
    reads: Reads,
}

impl Template {
    /// Compiles a template over a request's values, of which the place of the whole is known.
    ///
    /// # Errors
    /// The flaw says what the engine does not understand, or which value, filter or test does not exist.
    pub fn new(source: &str, at: Position) -> Result<Self, Flaw> {
        Self::of_source(Source::plain(source, at), Side::Request, Escaping::None)
    }

    /// Compiles a template over a request's values as it is written: a flaw names the very character, and what
    /// references gave is no syntax.
    ///
    /// # Errors
    /// As [`Self::new`], and a reference without quotes in an expression.
    pub fn written(text: &Located<Text>) -> Result<Self, Flaw> {
        Self::compile(text, Side::Request, Escaping::None)
    }

    /// Compiles the template of a path, possibly with a query, over a request's values.
    ///
    /// What a value renders stays inside its segment; the tail capture keeps its slashes. A rendered path that has
    /// dot segments, or that does not begin with exactly one slash, is an error.
    ///
    /// # Errors
    /// As [`Self::new`], and a constant that is no path.
    pub fn path(text: &Located<Text>) -> Result<Self, Flaw> {
        let template = Self::compile(text, Side::Request, Escaping::Location)?;
        match template.as_constant().map(location_complaint) {
            Some(Some(complaint)) => Err(Flaw::new(text.at, complaint)),
            _ => Ok(template),
        }
    }

    /// Compiles the template of an XML document over a request's values, which are escaped; [`Self::render_xml`] renders
    /// it.
    ///
    /// # Errors
    /// As [`Self::written`], and literals around the values that are not well-formed.
    pub fn xml(text: &Located<Text>) -> Result<Self, Flaw> {
        step::xml::compile(text, Side::Request)
    }

    /// The document for a message, which is well-formed whatever values went into it.
    ///
    /// # Errors
    /// As [`Self::render`], and a document that is not well-formed.
    pub fn render_xml(&self, scope: &Scope) -> Result<String, TransformError> {
        step::xml::render(self, scope)
    }

    pub(crate) fn compile(text: &Located<Text>, side: Side, escaping: Escaping) -> Result<Self, Flaw> {
        Self::of_source(Source::template(&text.value, text.at)?, side, escaping)
    }

    pub(crate) fn of_source(source: Source, side: Side, escaping: Escaping) -> Result<Self, Flaw> {
        if source.is_constant() {
            let form = Form::Constant(source.as_str().into());
            return Ok(Self { form, escaping, source, reads: Reads::NOTHING });
        }
        let compiled = engine::compile_text(source.as_str(), escaping, side);
        let (program, reads) = compiled.map_err(|refusal| flaw(refusal, &source))?;
        let form = match Form::without_engine(&source, side)? {
            Some(form) if escaping == Escaping::None => form,
            _ => Form::Program(Arc::new(program)),
        };
        Ok(Self { form, escaping, source, reads })
    }

    /// Renders the text for a message.
    ///
    /// # Errors
    /// An undefined value, one of the wrong type, or too much work.
    pub fn render(&self, scope: &Scope) -> Result<String, TransformError> {
        self.render_cow(scope).map(Cow::into_owned)
    }

    pub(crate) fn render_cow(&self, scope: &Scope) -> Result<Cow<'_, str>, TransformError> {
        let (rendered, source): (Result<String, Error>, &Source) = match &self.form {
            Form::Constant(text) => return Ok(Cow::Borrowed(text)),
            Form::Lone(_) | Form::Lookups(_) => {
                let mut text = String::with_capacity(64);
                return self.render_into(scope, &mut text).map(|()| Cow::Owned(text));
            }
            Form::Program(program) => {
                let root = match self.escaping {
                    Escaping::None | Escaping::Xml => scope.root(),
                    Escaping::Path | Escaping::Location => scope.path_root(),
                };
                (program.borrow_dependent().render(root), &self.source)
            }
        };
        let rendered = rendered.map_err(|error| failure(&error, source, scope.side()))?;
        if self.escaping == Escaping::Location
            && let Some(complaint) = location_complaint(&rendered)
        {
            return Err(TransformError::new(scope.side(), self.at(), complaint));
        }
        Ok(Cow::Owned(rendered))
    }

    /// Renders the text behind what is in `out`; after a failure some of it may be there.
    pub(crate) fn render_into(&self, scope: &Scope, out: &mut String) -> Result<(), TransformError> {
        match &self.form {
            Form::Constant(_) | Form::Program(_) => out.push_str(&self.render_cow(scope)?),
            Form::Lone(expression) => {
                let written = expression.write(scope, out);
                written.map_err(|error| failure(&error, &expression.source, scope.side()))?;
            }
            Form::Lookups(pieces) => {
                for piece in &**pieces {
                    match piece {
                        Piece::Literal(literal) => out.push_str(literal),
                        Piece::Lookup(lookup, source) => {
                            let written = lookup.write(&scope.context, out);
                            written.map_err(|error| failure(&error, source, scope.side()))?;
                        }
                    }
                }
            }
        }
        Ok(())
    }

    /// The text that is rendered for every message, when it is always the same.
    #[must_use]
    pub fn as_constant(&self) -> Option<&str> {
        match &self.form {
            Form::Constant(text) => Some(text),
            Form::Lone(_) | Form::Lookups(_) | Form::Program(_) => None,
        }
    }

    /// Where the template is written.
    #[must_use]
    pub fn at(&self) -> Position {
        self.source.at()
    }

    /// The text that was compiled.
    pub(crate) fn source(&self) -> &str {
        self.source.as_str()
    }

    /// Whether the body has to be read whole for it.
    #[must_use]
    pub const fn reads_body(&self) -> bool {
        self.reads.body
    }

    pub(crate) const fn reads(&self) -> Reads {
        self.reads
    }
}

/// Shows no source: it may hold a secret.
impl fmt::Debug for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Template").field("at", &self.at()).finish_non_exhaustive()
    }
}

impl<'de> Deserialize<'de> for Template {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::written(&Located::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for Template {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Template".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": ["string", "number", "boolean"], "description": "A text with Jinja tags."})
    }
}

/// An expression of the template language without braces, compiled. A clone is cheap.
#[derive(Clone)]
pub struct Expression {
    evaluator: Arc<Evaluator>,
    source: Source,
    reads: Reads,
}

enum Evaluator {
    Lookup(Lookup),
    Engine(minijinja::Expression<'static, 'static>),
}

impl Expression {
    /// Compiles an expression over a request's values.
    ///
    /// # Errors
    /// As [`Template::new`].
    pub fn new(source: &str, at: Position) -> Result<Self, Flaw> {
        Self::compile(Source::plain(source, at), Side::Request)
    }

    pub(crate) fn compile(source: Source, side: Side) -> Result<Self, Flaw> {
        let compiled = engine::compile_expression(source.as_str(), side);
        let (compiled, reads) = compiled.map_err(|refusal| flaw(refusal, &source))?;
        let evaluator = match Lookup::parse(source.as_str(), engine::names(side)) {
            Some(lookup) => Evaluator::Lookup(lookup),
            None => Evaluator::Engine(compiled),
        };
        Ok(Self { evaluator: Arc::new(evaluator), source, reads })
    }

    /// Whether the expression holds for a message.
    ///
    /// # Errors
    /// As [`Template::render`].
    pub fn holds(&self, scope: &Scope) -> Result<bool, TransformError> {
        let value = self.evaluate(scope).map_err(|error| self.failure(&error, scope))?;
        if value.is_undefined() { Err(self.undefined(scope)) } else { Ok(value.is_true()) }
    }

    /// The value for a message; never an undefined one.
    pub(crate) fn eval(&self, scope: &Scope) -> Result<Value, TransformError> {
        let value = self.evaluate(scope).map_err(|error| self.failure(&error, scope))?;
        if is_missing(&value) { Err(self.undefined(scope)) } else { Ok(value) }
    }

    fn evaluate(&self, scope: &Scope) -> Result<Value, Error> {
        match &*self.evaluator {
            Evaluator::Lookup(lookup) => lookup.eval(&scope.context),
            Evaluator::Engine(expression) => expression.eval(scope.root()),
        }
    }

    /// Writes the value's text.
    fn write(&self, scope: &Scope, out: &mut String) -> Result<(), Error> {
        match &*self.evaluator {
            Evaluator::Lookup(lookup) => lookup.write(&scope.context, out),
            Evaluator::Engine(expression) => {
                out.push_str(&engine::text_of(&expression.eval(scope.root())?)?);
                Ok(())
            }
        }
    }

    fn failure(&self, error: &Error, scope: &Scope) -> TransformError {
        failure(error, &self.source, scope.side())
    }

    fn undefined(&self, scope: &Scope) -> TransformError {
        let message = match plain_name(self.source.as_str()) {
            Some(name) => format!("`{name}` is undefined"),
            None => "the expression's value is undefined".to_owned(),
        };
        TransformError::new(scope.side(), self.at(), message)
    }

    /// Where the expression begins.
    pub(crate) fn at(&self) -> Position {
        self.source.place(0)
    }

    pub(crate) const fn reads(&self) -> Reads {
        self.reads
    }
}

/// Shows no source: it may hold a secret.
impl fmt::Debug for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Expression").field("at", &self.at()).finish_non_exhaustive()
    }
}

/// Why a text is not a path on this host: two slashes at its beginning would name another.
fn location_complaint(location: &str) -> Option<&'static str> {
    let path = location.split(['?', '#']).next().unwrap_or("");
    if !path.starts_with('/') || path.starts_with("//") {
        Some("a path begins with one `/`")
    } else if engine::has_dot_segment(path) {
        Some("a path cannot have the segments `.` and `..`")
    } else {
        None
    }
}

/// An expression that is a mere name, which holds no secret.
fn plain_name(source: &str) -> Option<&str> {
    let plain = |char: char| char.is_alphanumeric() || matches!(char, '_' | '.' | '[' | ']' | '\'' | '"' | '-');
    source.chars().all(plain).then_some(source)
}

pub(crate) fn flaw(refusal: engine::Refusal, source: &Source) -> Flaw {
    let flaw = Flaw::new(source.place(refusal.offset), refusal.message);
    match refusal.hint {
        Some(hint) => flaw.with_hint(hint),
        None => flaw,
    }
}

pub(crate) fn failure(error: &Error, source: &Source, side: Side) -> TransformError {
    let mut message = engine::problem(error, source.as_str());
    if error.kind() == minijinja::ErrorKind::UndefinedError && error.detail().is_none() {
        message = match plain_name(source.as_str()) {
            Some(name) => format!("`{name}` is undefined"),
            None => "a value is undefined".to_owned(),
        };
    }
    TransformError::new(side, source.place(engine::begins(error, source.as_str())), message)
}
